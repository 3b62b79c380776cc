"""Writes format_v1_second.json and format_v1_parts.json of test/vectors/crypto, made by the second implementation only.

Run by hand when the format grows; the product's code never writes vectors.
"""

import hashlib
import json
import pathlib

import cqlock_format as f


def fixed(label, length):
    """Bytes of a label: SHA-256 in counter mode."""
    out = b""
    while len(out) < length:
        out += hashlib.sha256(f"{label}/{len(out)}".encode()).digest()
    return out[:length]


def text_bits(value):
    return "".join("1" + format(byte, "08b") for byte in value) + "0"


def bits_hex(bits):
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big").hex()


def parts():
    """Elements, fields and map values of columns of several cells."""
    key = f.KeyDek(fixed("key dek", 32), fixed("key dek id", 16), 3)
    cells = {e: f.CellDek(fixed(f"cell dek {e}", 32), fixed(f"cell dek id {e}", 16), e) for e in (1, 0x0102)}
    ids = {name: fixed(name, 16) for name in ("pk", "ck", "set", "map", "list", "udt")}
    partition = [f.partition_component(key, ids["pk"], b"alice")]
    row = [f.opaque_clustering(key, ids["ck"], partition, fixed("ck", 9))]
    elements, values = [], []
    owners = [(0, []), (1, row), (1, [])]
    for static_or_regular, clustering in owners:
        for column, code in (("set", f.SET_ELEMENT), ("map", f.MAP_KEY), ("list", f.LIST_ELEMENT)):
            for length in (0, 1, 15, 16, 17, 40):
                plain, kind = fixed(f"element {column}", length), code + static_or_regular
                stored = f.element(key, kind, ids[column], partition, clustering, plain)
                elements.append(
                    {"column": column, "kind": kind, "clustering": bool(clustering), "plain": plain.hex(), "stored": stored.hex()}
                )
        map_key = f.element(key, f.MAP_KEY + static_or_regular, ids["map"], partition, clustering, b"key")
        for epoch, dek in cells.items():
            for suite in (1, 0x81):
                for length in (0, 1, 15, 16, 33):
                    for column, code, part in (("map", f.MAP_VALUE, map_key), ("udt", f.FIELD, 0), ("udt", f.FIELD, 258)):
                        plain, nonce = fixed(f"part {column}", length), fixed(f"nonce {length} {epoch} {suite}", 8)
                        where = (dek, suite, code + static_or_regular, ids[column], partition, clustering)
                        stored = f.make_cell(*where, nonce, plain, part)
                        values.append(
                            {
                                "column": column,
                                "kind": code + static_or_regular,
                                "suite": suite,
                                "epoch": epoch,
                                "clustering": bool(clustering),
                                **({"field": part} if isinstance(part, int) else {"key": part.hex()}),
                                "plain": plain.hex(),
                                "stored": stored.hex(),
                            }
                        )
    return {
        "name": "format_v1_parts",
        "spec": "format 10",
        "comment": "Made by test/second_implementation/make_vectors.py. All byte strings are hex.",
        "keyDek": {"dek": fixed("key dek", 32).hex(), "id": key.dek_id.hex(), "epoch": 3},
        "cellDeks": [
            {"dek": fixed(f"cell dek {e}", 32).hex(), "id": d.dek_id.hex(), "epoch": e} for e, d in cells.items()
        ],
        "columns": {name: value.hex() for name, value in ids.items()},
        "partition": [p.hex() for p in partition],
        "clustering": [c.hex() for c in row],
        "elements": elements,
        "values": values,
    }


def write(vectors):
    target = pathlib.Path(__file__).parent.parent / f"vectors/crypto/{vectors['name']}.json"
    target.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main():
    key = f.KeyDek(fixed("key dek", 32), fixed("key dek id", 16), 3)
    cells = {e: f.CellDek(fixed(f"cell dek {e}", 32), fixed(f"cell dek id {e}", 16), e) for e in (1, 0x0102)}
    ids = {name: fixed(name, 16) for name in ("pk0", "pk1", "text", "opaque", "value", "padded", "fixed", "count", "total")}
    partition_plain = [fixed("uuid", 16), b"2026"]
    partition = [f.partition_component(key, ids[n], v) for n, v in zip(("pk0", "pk1"), partition_plain)]
    ordered = []
    for length in (0, 1, 7, 13, 14, 26, 27, 28, 40, 53, 54, 200):
        plain = fixed("text", length)
        bits = text_bits(plain)
        stored = f.ordered_clustering(key, ids["text"], partition, plain, bits)
        ordered.append(
            {"plain": plain.hex(), "orderBits": bits_hex(bits), "orderBitLength": len(bits), "stored": stored.hex()}
        )
    opaque = []
    for length in (0, 1, 15, 16, 17, 48, 300):
        plain = fixed("opaque", length)
        opaque.append({"plain": plain.hex(), "stored": f.opaque_clustering(key, ids["opaque"], partition, plain).hex()})
    clustering = [bytes.fromhex(ordered[3]["stored"]), bytes.fromhex(opaque[2]["stored"])]
    values = []
    for epoch, dek in cells.items():
        for column, kind, suite in (
            ("value", f.REGULAR, 1),
            ("padded", f.REGULAR, 0x81),
            ("fixed", f.STATIC, 1),
            ("count", f.COUNTER, 1),
            ("total", f.STATIC_COUNTER, 1),
        ):
            for with_clustering in (True, False):
                for length in (8,) if kind >= f.COUNTER else (0, 1, 8, 15, 16, 17, 31, 32, 33, 100, 1025):
                    plain, nonce = fixed(f"plain {column}", length), fixed(f"nonce {length} {epoch}", 8)
                    row = clustering if with_clustering else []
                    stored = f.make_cell(dek, suite, kind, ids[column], partition, row, nonce, plain)
                    values.append(
                        {
                            "column": column,
                            "kind": kind,
                            "suite": suite,
                            "epoch": epoch,
                            "clustering": with_clustering,
                            "plain": plain.hex(),
                            "stored": stored.hex(),
                        }
                    )
    catalog_key, cluster = fixed("catalog", 32), fixed("cluster", 16)
    vectors = {
        "name": "format_v1_second",
        "spec": "format 10",
        "comment": "Made by test/second_implementation/make_vectors.py. All byte strings are hex.",
        "keyDek": {"dek": fixed("key dek", 32).hex(), "id": key.dek_id.hex(), "epoch": 3},
        "cellDeks": [
            {"dek": fixed(f"cell dek {e}", 32).hex(), "id": d.dek_id.hex(), "epoch": e} for e, d in cells.items()
        ],
        "columns": {name: value.hex() for name, value in ids.items()},
        "partition": {"plain": [p.hex() for p in partition_plain], "stored": [s.hex() for s in partition]},
        "ordered": ordered,
        "opaque": opaque,
        "clustering": [c.hex() for c in clustering],
        "cells": values,
        "rootMac": {
            "catalogKey": catalog_key.hex(),
            "clusterId": cluster.hex(),
            "root": fixed("root", 77).hex(),
            "mac": f.root_mac(catalog_key, cluster, fixed("root", 77)).hex(),
        },
        "prepared": [
            {"keyspace": k, "text": t, "id": f.prepared_statement_id(k, t).hex()}
            for k, t in ((None, "SELECT * FROM k.t"), ("k", "SELECT * FROM t"), ("", ""), ("ü", "— ✓"))
        ],
    }
    write(vectors)
    write(parts())


if __name__ == "__main__":
    main()
