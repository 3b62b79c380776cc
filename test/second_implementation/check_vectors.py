"""Checks with the second implementation: the vectors of test/vectors/crypto, and values that the product has just made.

Usage: check_vectors.py FORMAT_V1_JSON [MADE_JSON]. Prints the number of values checked; any difference is an exception.
"""

import json
import pathlib
import sys

import cqlock_format as f

unhex = bytes.fromhex


def bits_of(value):
    text = "".join(format(byte, "08b") for byte in unhex(value["orderBits"]))
    return text[: value["orderBitLength"]]


def same(actual, expected, what):
    if actual.hex() != expected:
        raise SystemExit(f"{what}: {actual.hex()} instead of {expected}")
    return 1


def check_format_v1(path):
    v = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    keys, columns = v["keys"], {name: unhex(value) for name, value in v["columns"].items()}
    key = f.KeyDek(unhex(keys["keyDek"]["dek"]), unhex(keys["keyDek"]["id"]), keys["keyDek"]["epoch"])
    cell = f.CellDek(unhex(keys["cellDek"]["dek"]), unhex(keys["cellDek"]["id"]), keys["cellDek"]["epoch"])
    table_key, table, cluster = (unhex(keys[name]) for name in ("tableKey", "tableId", "clusterId"))
    count = 0
    for p in v["partition"]:
        count += same(f.partition_component(key, columns[p["column"]], unhex(p["plain"])), p["stored"], "partition")
    partition = [unhex(v["partition"][0]["stored"])]
    for o in v["ordered"]:
        stored = f.ordered_clustering(key, columns[o["column"]], partition, unhex(o["plain"]), bits_of(o))
        count += same(stored, o["stored"], "ordered clustering")
    clustering = [unhex(v["ordered"][0]["stored"])]
    for c in v["cells"]:
        where = (cell, c["suite"], c["kind"], columns[c["column"]], partition, clustering)
        count += same(f.open_cell(*where, unhex(c["stored"])), c["plain"], "cell")
        count += same(f.make_cell(*where, unhex(c["nonce"]), unhex(c["plain"])), c["stored"], "cell made")
    e, i, w, r = v["setElement"], v["blindIndex"], v["wrappedDek"], v["recordMac"]
    element = f.element(key, e["kind"], columns[e["column"]], partition, clustering, unhex(e["plain"]))
    count += same(element, e["stored"], "set element")
    index_key = f.hkdf(unhex(keys["keyDek"]["dek"]), key.dek_id, "index", 32)
    count += same(f.blind_index(index_key, key, columns[i["column"]], unhex(i["plain"])), i["stored"], "blind index")
    n = v["blindEntry"]
    entry = f.blind_entry(index_key, key, columns[n["column"]], unhex(n["key"]), unhex(n["plain"]))
    count += same(entry, n["stored"], "blind index of an entry")
    wrapped = f.wrap_dek(
        table_key, cluster, table, w["structure"], cell.epoch, cell.dek_id, w["tableKeyVersion"], unhex(keys["cellDek"]["dek"])
    )
    count += same(wrapped, w["wrapped"], "wrapped DEK")
    count += same(f.table_key_commit(table_key, table), v["tableKeyCommit"], "commitment")
    mac = f.record_mac(unhex(keys["catalogKey"]), cluster, table, r["version"], unhex(r["body"]))
    return count + same(mac, r["mac"], "record MAC")


def check_made(path):
    """Values of the product, with random keys and nonces."""
    v = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    key = f.KeyDek(*(unhex(v["keyDek"][name]) for name in ("dek", "id")), v["keyDek"]["epoch"])
    cell = f.CellDek(*(unhex(v["cellDek"][name]) for name in ("dek", "id")), v["cellDek"]["epoch"])
    count = 0
    for row in v["rows"]:
        partition = []
        for c in row["partition"]:
            count += same(f.partition_component(key, unhex(c["column"]), unhex(c["plain"])), c["stored"], "partition")
            partition.append(unhex(c["stored"]))
        clustering = []
        for c in row["clustering"]:
            column, plain = unhex(c["column"]), unhex(c["plain"])
            if "orderBits" in c:
                stored = f.ordered_clustering(key, column, partition, plain, bits_of(c))
            else:
                stored = f.opaque_clustering(key, column, partition, plain)
            count += same(stored, c["stored"], "clustering")
            clustering.append(unhex(c["stored"]))
        for c in row["cells"]:
            where = (cell, c["suite"], c["kind"], unhex(c["column"]), partition, clustering)
            count += same(f.open_cell(*where, unhex(c["stored"])), c["plain"], "cell")
    store, paging = v["keyStore"], v["paging"]
    count += same(f.open_key_store(unhex(store["rootKey"]), unhex(store["sealed"])), store["content"], "key store")
    data = [unhex(item) for item in paging["data"]]
    state = f.open_paging_state(unhex(paging["catalogKey"]), unhex(paging["clusterId"]), data, unhex(paging["state"]))
    return count + same(state, paging["content"], "paging state")


if __name__ == "__main__":
    total = check_format_v1(sys.argv[1])
    if len(sys.argv) > 2:
        total += check_made(sys.argv[2])
    print(total)
