"""The stored format of docs/format.md, written a second time from the text alone.

Clear instead of fast: one value at a time, whole computations, integers for the order part. AES-SIV, CMAC and HKDF come
from the package `cryptography`. Section numbers refer to docs/format.md.
"""

import hashlib
import hmac
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = 0xC1
SUITE_SIV = 0x01
SUITE_PADDED = 0x81

PARTITION, ORDERED, OPAQUE = 0x01, 0x02, 0x03
STATIC, REGULAR = 0x10, 0x11
FIELD, MAP_VALUE = 0x12, 0x14
SET_ELEMENT, MAP_KEY, LIST_ELEMENT = 0x20, 0x22, 0x24
BLIND_INDEX = 0x30
BLIND_ENTRY = 0x31
COUNTER, STATIC_COUNTER = 0x40, 0x41


def hkdf(ikm, salt, label, length):
    """Section 2."""
    info = b"cqlock/1/" + label.encode("ascii")
    return HKDF(hashes.SHA512(), length, salt, info).derive(ikm)


def siv_seal(key, components, plaintext):
    """Tag and cipher text; RFC 5297 with the components in order. The package takes no empty plain text."""
    if plaintext:
        return AESSIV(key).encrypt(plaintext, list(components))
    half = len(key) // 2
    return s2v(key[:half], [*components, b""])


def siv_open(key, components, sealed):
    """Raises InvalidTag."""
    if len(sealed) > 16:
        return AESSIV(key).decrypt(sealed, list(components))
    half = len(key) // 2
    if not hmac.compare_digest(s2v(key[:half], [*components, b""]), sealed):
        raise ValueError("tag")
    return b""


def cmac(key, message):
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


def aes(key, block):
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def double(block):
    number = int.from_bytes(block, "big") << 1
    if number >> 128:
        number = (number & ((1 << 128) - 1)) ^ 0x87
    return number.to_bytes(16, "big")


def s2v(key, strings):
    """RFC 5297 2.4; here for the empty plain text only, but whole."""
    state = cmac(key, bytes(16))
    for string in strings[:-1]:
        state = xor(double(state), cmac(key, string))
    last = strings[-1]
    if len(last) >= 16:
        return cmac(key, last[:-16] + xor(last[-16:], state))
    padded = last + b"\x80" + bytes(15 - len(last))
    return cmac(key, xor(double(state), padded))


class KeyDek:
    """Section 2."""

    def __init__(self, dek, dek_id, epoch):
        self.dek_id, self.epoch = dek_id, epoch
        self.det = hkdf(dek, dek_id, "det", 64)
        order = hkdf(dek, dek_id, "order", 96)
        self.bind, self.chain, self.final = order[:32], order[32:64], order[64:]


class CellDek:
    """Section 2."""

    def __init__(self, dek, dek_id, epoch):
        self.dek_id, self.epoch = dek_id, epoch
        self.cell = hkdf(dek, dek_id, "cell", 64)


def head(suite, epoch):
    """Section 1."""
    return struct.pack(">BBH", VERSION, suite, epoch)


def column_context(suite, kind, dek, column_id):
    """S1, section 3."""
    return struct.pack(">BBBH", VERSION, suite, kind, dek.epoch) + dek.dek_id + column_id


def key_context(stored):
    """S2 and S3, section 3."""
    return bytes([len(stored)]) + b"".join(struct.pack(">H", len(c)) + c for c in stored)


def partition_component(dek, column_id, value):
    """Section 4."""
    s1 = column_context(SUITE_SIV, PARTITION, dek, column_id)
    return head(SUITE_SIV, dek.epoch) + siv_seal(dek.det, [s1], value)


def opaque_clustering(dek, column_id, partition, canonical):
    """Section 4."""
    s1 = column_context(SUITE_SIV, OPAQUE, dek, column_id)
    return head(SUITE_SIV, dek.epoch) + siv_seal(dek.det, [s1, key_context(partition)], canonical)


def order_part(dek, column_id, partition, bits):
    """O, section 5. `bits` is a string of 0 and 1."""
    s1 = column_context(SUITE_SIV, ORDERED, dek, column_id)
    state = cmac(dek.bind, s1 + key_context(partition))
    total = 0
    for i, bit in enumerate(bits):
        chunk, r = divmod(i, 120)
        if r == 0 and chunk > 0:
            whole = int(bits[(chunk - 1) * 120 : chunk * 120], 2).to_bytes(15, "big")
            state = aes(dek.chain, xor(state, whole + b"\xff"))
        before = bits[chunk * 120 : i].ljust(120, "0")
        block = int(before, 2).to_bytes(15, "big") + bytes([r])
        noise = aes(dek.final, xor(state, block))[0]
        total = total * 256 + noise + 2 * int(bit)
    return total.to_bytes(len(bits) + 1, "big")


def ordered_clustering(dek, column_id, partition, canonical, bits):
    """Section 4."""
    order = order_part(dek, column_id, partition, bits)
    s1 = column_context(SUITE_SIV, ORDERED, dek, column_id)
    sealed = siv_seal(dek.det, [s1, key_context(partition)], canonical)
    return head(SUITE_SIV, dek.epoch) + order + sealed + struct.pack(">H", len(order))


def pad(value):
    """ISO 7816-4 to 16 bytes."""
    padded = value + b"\x80"
    return padded + bytes(-len(padded) % 16)


def unpad(padded):
    value = padded.rstrip(b"\0")
    if not value.endswith(b"\x80") or len(padded) - len(value) > 15:
        raise ValueError("padding")
    return value[:-1]


def cell_components(dek, suite, kind, column_id, partition, clustering, nonce, part=None):
    """`part` is S4: the index of a field or a stored map key."""
    s1 = column_context(suite, kind, dek, column_id)
    components = [s1, key_context(partition)]
    if kind == COUNTER or (kind < COUNTER and kind & 1):
        components.append(key_context(clustering))
    if part is not None:
        components.append(struct.pack(">H", part) if isinstance(part, int) else part)
    return [*components, nonce]


def make_cell(dek, suite, kind, column_id, partition, clustering, nonce, value, part=None):
    """Section 4."""
    components = cell_components(dek, suite, kind, column_id, partition, clustering, nonce, part)
    text = pad(value) if suite == SUITE_PADDED else value
    return head(suite, dek.epoch) + nonce + siv_seal(dek.cell, components, text)


def open_cell(dek, suite, kind, column_id, partition, clustering, stored, part=None):
    """Section 4."""
    if stored[:4] != head(suite, dek.epoch):
        raise ValueError("head")
    nonce = stored[4:12]
    components = cell_components(dek, suite, kind, column_id, partition, clustering, nonce, part)
    text = siv_open(dek.cell, components, stored[12:])
    return unpad(text) if suite == SUITE_PADDED else text


def element(dek, kind, column_id, partition, clustering, value):
    """Section 4: an element of a list or set, or a map key."""
    components = [column_context(SUITE_SIV, kind, dek, column_id), key_context(partition)]
    if kind & 1:
        components.append(key_context(clustering))
    return head(SUITE_SIV, dek.epoch) + siv_seal(dek.det, components, value)


def blind_index(index_key, dek, column_id, canonical):
    """Section 4."""
    s1 = column_context(SUITE_SIV, BLIND_INDEX, dek, column_id)
    return head(SUITE_SIV, dek.epoch) + cmac(index_key, s1 + canonical)


def blind_entry(index_key, dek, column_id, key, value):
    """Section 4: the blind index of an entry of a map."""
    of_value = cmac(index_key, column_context(SUITE_SIV, BLIND_INDEX, dek, column_id) + value)
    s1 = column_context(SUITE_SIV, BLIND_ENTRY, dek, column_id)
    return head(SUITE_SIV, dek.epoch) + of_value[:8] + cmac(index_key, s1 + struct.pack(">I", len(key)) + key + value)


def wrap_dek(table_key, cluster_id, table_id, structure, epoch, dek_id, tk_version, dek):
    """Section 6."""
    key = hkdf(table_key, table_id, "tk/wrap", 64)
    data = b"cqlock/1/dek" + cluster_id + table_id + struct.pack(">BH", structure, epoch) + dek_id
    return b"\x01" + dek_id + siv_seal(key, [data + struct.pack(">I", tk_version)], dek)


def table_key_commit(table_key, table_id):
    """Section 6."""
    return hkdf(table_key, table_id, "tk/commit", 32)


def record_mac(catalog_key, cluster_id, table_id, version, body):
    """Section 7."""
    key = hkdf(catalog_key, cluster_id, "mk/record", 32)
    message = b"cqlock/1/record\0" + cluster_id + table_id + struct.pack(">QI", version, len(body)) + body
    return hmac.new(key, message, hashlib.sha256).digest()


def root_mac(catalog_key, cluster_id, root):
    """Section 7."""
    key = hkdf(catalog_key, cluster_id, "mk/root", 32)
    return hmac.new(key, b"cqlock/1/root\0" + cluster_id + root, hashlib.sha256).digest()


def open_key_store(root_key, sealed):
    """Section 8."""
    salt, generation = sealed[1:33], sealed[33:41]
    key = hkdf(root_key, salt, "ks/seal", 64)
    return siv_open(key, [b"cqlock/1/keystore", generation], sealed[41:])


def open_paging_state(catalog_key, cluster_id, data, state):
    """Section 9."""
    key = hkdf(catalog_key, cluster_id, "mk/paging", 64)
    return siv_open(key, [b"cqlock/1/paging", *data, state[1:17]], state[17:])


def prepared_statement_id(keyspace, text):
    """Section 9."""

    def counted(part):
        return struct.pack(">I", len(part)) + part

    message = counted(b"cqlock/1/prepared")
    message += b"\0" if keyspace is None else b"\1" + counted(keyspace.encode())
    return hashlib.sha256(message + counted(text.encode())).digest()[:16]
