#!/usr/bin/python3
"""A second reader of the repository format, written from docs/format.md alone.

It shares no code with the program that writes repositories. It needs Python 3.11
with python3-cryptography, and the tools age, zstd and b3sum. It reads
repositories in a folder, opens their machine and recipient key slots, writes
nothing into them, and authenticates whatever it hands out.

  reader.py --repo DIR --identity FILE snapshots          one JSON line per manifest
  reader.py --repo DIR --identity FILE ls [--sum] SNAPSHOT    one JSON line per entry
  reader.py --repo DIR --identity FILE cat SNAPSHOT PATH  a file's bytes, holes as zeros
  reader.py --repo DIR --identity FILE verify             everything; 1 if something is wrong
  reader.py vectors FILE                                  recompute the test vectors
  reader.py selftest                                      check the needed tools

SNAPSHOT is the object name of a manifest or the beginning of its ID. Names, paths
and link targets in the output are hex, since they need not be text. PATH is the
whole path, as the source had it.
"""
import argparse, bisect, collections, hashlib, json, os, re, stat, struct, subprocess, sys, tempfile, time

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:
    sys.exit("reader.py: python3-cryptography is missing")

KIB, MIB = 1 << 10, 1 << 20
MAGIC, END_MAGIC = b"SAVEPNT\0", b"SAVEEND\0"
HEADER = 52
VERSION = 1
CONFIG, SEGMENT, MANIFEST, LEASE, CONDEMNED, MARK, REPORT, DATA_PACK, META_PACK, GONE = range(1, 11)
KIND_NAME = {CONFIG: "config", SEGMENT: "segment", MANIFEST: "manifest", LEASE: "lease", CONDEMNED: "condemned",
             MARK: "mark", REPORT: "report", DATA_PACK: "data pack", META_PACK: "meta pack", GONE: "gone"}
# The largest object of a kind, of its payload where it is sealed.
LIMIT = {CONFIG: 64 * KIB, SEGMENT: 64 * MIB, MANIFEST: 64 * MIB, LEASE: 64 * KIB, CONDEMNED: 64 * MIB,
         MARK: 64 * MIB, REPORT: 64 * MIB, GONE: 64 * MIB}
MAX_PACK, MAX_PLAIN, MAX_CHUNK, MAX_TREE, MAX_ENTRY, MAX_SLOT = 64 * MIB, 9 * MIB, 8 * MIB, 2 * MIB, MIB, 64 * KIB
TTL, SESSION = 30 * 60 * 10**9, 7 * 86400 * 10**9


class Bad(Exception):
    """What was read is not what the format says."""


def need(ok, message, *args):
    if not ok:
        raise Bad(message % args if args else message)


# ---------------------------------------------------------------- BLAKE3

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
MIXES = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15), (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
CHUNK_START, CHUNK_END, PARENT, ROOT, KEYED_HASH, DERIVE_CONTEXT, DERIVE_MATERIAL = 1, 2, 4, 8, 16, 32, 64
SCHEDULE = [tuple(range(16))]
for _ in range(6):
    SCHEDULE.append(tuple(SCHEDULE[-1][i] for i in PERMUTATION))


def _compress(cv, m, counter, length, flags):
    mask = 0xFFFFFFFF
    v = [*cv, *IV[:4], counter & mask, counter >> 32, length, flags]
    for order in SCHEDULE:
        for g, (ai, bi, ci, di) in enumerate(MIXES):
            a, b, c, d = v[ai], v[bi], v[ci], v[di]
            a = (a + b + m[order[2 * g]]) & mask
            d ^= a
            d = (d >> 16 | d << 16) & mask
            c = (c + d) & mask
            b ^= c
            b = (b >> 12 | b << 20) & mask
            a = (a + b + m[order[2 * g + 1]]) & mask
            d ^= a
            d = (d >> 8 | d << 24) & mask
            c = (c + d) & mask
            b ^= c
            b = (b >> 7 | b << 25) & mask
            v[ai], v[bi], v[ci], v[di] = a, b, c, d
    return tuple(v[i] ^ v[i + 8] for i in range(8))


def _blake3(data, key, flags):
    """BLAKE3 in plain Python: for small inputs."""

    def chunk(index, root):
        part = data[index * 1024:index * 1024 + 1024]
        blocks = [part[i:i + 64] for i in range(0, len(part), 64)] or [b""]
        cv = key
        for i, block in enumerate(blocks):
            f = flags | (CHUNK_START if i == 0 else 0)
            if i == len(blocks) - 1:
                f |= CHUNK_END | (ROOT if root else 0)
            cv = _compress(cv, struct.unpack("<16I", block.ljust(64, b"\0")), index, len(block), f)
        return cv

    def tree(first, count, root):
        if count == 1:
            return chunk(first, root)
        left = 1 << (count - 1).bit_length() - 1
        m = tree(first, left, False) + tree(first + left, count - left, False)
        return _compress(key, m, 0, 64, flags | PARENT | (ROOT if root else 0))

    return struct.pack("<8I", *tree(0, max(1, -(-len(data) // 1024)), True))


def _words(key):
    return struct.unpack("<8I", key)


def derive_key(context, material):
    return _blake3(material, _words(_blake3(context.encode(), IV, DERIVE_CONTEXT)), DERIVE_MATERIAL)


def _b3sum(args, names, **kw):
    sums = []
    for i in range(0, len(names), 1000):
        r = subprocess.run(["b3sum", "--no-names", *args, "--", *names[i:i + 1000]], stdout=subprocess.PIPE, check=True, **kw)
        sums += [bytes.fromhex(line) for line in r.stdout.decode().split()]
    need(len(sums) == len(names), "b3sum gave %d sums for %d files", len(sums), len(names))
    return sums


def _scratch():
    # Plain chunks pass through here: memory is better than a disk.
    return tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


def keyed_by_tool(key, items):
    with _scratch() as d:
        names = []
        for i, item in enumerate(items):
            names.append(str(i))
            with open(os.path.join(d, names[-1]), "wb") as f:
                f.write(item)
        return _b3sum(["--keyed"], names, input=key, cwd=d)


def keyed_many(key, items):
    """Keyed BLAKE3-256 of many inputs: b3sum, or plain Python when there is little."""
    if sum(len(x) // 64 + 1 for x in items) > 100:
        return keyed_by_tool(key, items)
    return [_blake3(x, _words(key), KEYED_HASH) for x in items]


def keyed(key, item):
    return keyed_many(key, [item])[0]


def selftest():
    """The two implementations of BLAKE3 agree, and the other tools are there."""
    key = bytes(range(32))
    samples = [bytes(i % 251 for i in range(n)) for n in (0, 1, 63, 64, 65, 1023, 1024, 1025, 2048, 2049, 3073, 5000)]
    need(keyed_by_tool(key, samples) == [_blake3(x, _words(key), KEYED_HASH) for x in samples], "b3sum --keyed and the BLAKE3 here differ")
    for x in samples:
        for args, own in ((["--derive-key", "a context"], derive_key("a context", x)), ([], _blake3(x, IV, 0))):
            r = subprocess.run(["b3sum", "--no-names", *args], input=x, stdout=subprocess.PIPE, check=True)
            need(bytes.fromhex(r.stdout.decode().strip()) == own, "b3sum %s and the BLAKE3 here differ", args)
    for raw in ("1801 1900ff 1a0000ffff 1b00000000ffffffff a10101a1 a201010101 a202000100 a1613100 9f00ff 5f41ff 7f60ff bfff c000 f6 f7 f90000 fa00000000 "
                "fb0000000000000000 f820 61ff 62c328 4201 8201 1c 0000 818181818181818181818181818181818100").split():
        try:
            cbor(bytes.fromhex(raw))
        except Bad:
            continue
        raise Bad("the CBOR %s is taken" % raw)
    try:
        HEAD({2: 1, 7: 1})
        raise AssertionError("an unknown critical key is taken")
    except Bad:
        HEAD({2: 1, 64: 1})
    subprocess.run(["age", "--version"], stdout=subprocess.DEVNULL, check=True)
    packed = subprocess.run(["zstd", "-q", "-c"], input=b"x" * 1000, stdout=subprocess.PIPE, check=True).stdout
    need(unzstd(packed, 1000) == b"x" * 1000, "zstd does not give back what it got")


# ---------------------------------------------------------------- zstd


def unzstd(data, size):
    """Decompresses exactly one frame of a known plain size."""
    need(len(data) >= 6 and data[:4] == b"\x28\xb5\x2f\xfd", "not a zstd frame")
    d = data[4]
    pos = 5 + (0 if d & 0x20 else 1) + (0, 1, 2, 4)[d & 3] + ((1 if d & 0x20 else 0), 2, 4, 8)[d >> 6]
    need(d & 3 == 0, "the zstd frame wants a dictionary")
    last = False
    while not last:
        need(pos + 3 <= len(data), "the zstd frame is cut off")
        h = int.from_bytes(data[pos:pos + 3], "little")
        last, kind = h & 1, h >> 1 & 3
        pos += 3 + (1 if kind == 1 else h >> 3)
    pos += 4 if d & 4 else 0
    need(pos == len(data), "not exactly one zstd frame")
    p = subprocess.Popen(["zstd", "-d", "-q", "-c", "--memory=128MB"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = p.communicate(data)
    need(p.returncode == 0, "zstd: %s", err.decode(errors="replace").strip())
    need(len(out) == size, "the plain block has %d bytes, not %d", len(out), size)
    return out


# ---------------------------------------------------------------- CBOR


class _CBOR:
    """The strict subset: integers, byte strings, text, arrays, maps with integer keys, booleans."""

    def __init__(self, data):
        self.data, self.pos = data, 0

    def take(self, n):
        need(self.pos + n <= len(self.data), "CBOR ends too early")
        self.pos += n
        return self.data[self.pos - n:self.pos]

    def item(self, depth):
        first = self.take(1)[0]
        major, low = first >> 5, first & 31
        if major == 7:
            need(low in (20, 21), "CBOR: float, null or another simple value")
            return low == 21
        need(low < 28, "CBOR: indefinite or reserved length")
        n = low
        if low >= 24:
            n = int.from_bytes(self.take(1 << low - 24), "big")
            need(n >= (24, 1 << 8, 1 << 16, 1 << 32)[low - 24], "CBOR: not the shortest form")
        if major == 0:
            return n
        if major == 1:
            return -1 - n
        if major == 2:
            return self.take(n)
        if major == 3:
            try:
                return self.take(n).decode()
            except UnicodeDecodeError:
                raise Bad("CBOR: text is not UTF-8") from None
        need(major != 6, "CBOR: a tag")
        need(depth < 16, "CBOR: nested too deep")
        if major == 4:
            return [self.item(depth + 1) for _ in range(n)]
        m, before = {}, b""
        for _ in range(n):
            start = self.pos
            k = self.item(depth + 1)
            need(type(k) is int, "CBOR: a key is not an integer")
            enc = self.data[start:self.pos]
            need(enc > before, "CBOR: keys out of order or twice")
            before = enc
            m[k] = self.item(depth + 1)
        return m


def cbor(data):
    d = _CBOR(data)
    v = d.item(0)
    need(d.pos == len(data), "CBOR: bytes after the end")
    return v


def encode(v):
    def head(major, n):
        if n < 24:
            return bytes([major << 5 | n])
        size = next(i for i in range(4) if n < 1 << (8 << i))
        return bytes([major << 5 | 24 + size]) + n.to_bytes(1 << size, "big")
    if v is True or v is False:
        return b"\xf5" if v else b"\xf4"
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    if isinstance(v, list):
        return head(4, len(v)) + b"".join(map(encode, v))
    return head(5, len(v)) + b"".join(sorted(encode(k) + encode(x) for k, x in v.items()))


# Types of fields: functions that raise Bad.


def uint(v):
    need(type(v) is int and 0 <= v < 1 << 64, "not an unsigned integer")


def integer(v):
    need(type(v) is int and -1 << 63 <= v < 1 << 63, "not a 64 bit integer")


def text(v):
    need(type(v) is str, "not text")


def flag(v):
    need(v is True, "not true")


def size(v):
    need(type(v) is int and 0 <= v < 1 << 63, "not a size")


def octets(lo=0, hi=1 << 62, no_zero=False):
    def check(v):
        need(type(v) is bytes and lo <= len(v) <= hi, "not %d to %d bytes", lo, hi)
        need(not no_zero or 0 not in v, "a zero byte")
    return check


ID16, ID32 = octets(16, 16), octets(32, 32)


def one_of(*values):
    def check(v):
        need(type(v) in (int, str) and v in values, "%r is none of %s", v, values)
    return check


def array(of, most=1 << 62):
    def check(v):
        need(type(v) is list and len(v) <= most, "not an array")
        for x in v:
            of(x)
    return check


def row(*of):
    def check(v):
        need(type(v) is list and len(v) == len(of), "not an array of %d", len(of))
        for x, t in zip(v, of):
            t(x)
    return check


def fields(what, always, schema):
    """Checks a map: unknown critical keys, types, and that what is zero is left out."""
    def check(m):
        need(type(m) is dict, "%s: not a map", what)
        for k, v in m.items():
            if k not in schema:
                need(k >= 64, "%s: unknown critical key %d: a newer program wrote this", what, k)
                continue
            try:
                schema[k](v)
            except Bad as e:
                raise Bad("%s, key %d: %s" % (what, k, e)) from None
            need(k in always or v not in (0, "", b"", [], {}), "%s: key %d holds nothing and should be left out", what, k)
        for k in always:
            need(k in m, "%s: key %d is missing", what, k)
    return check


SLOT = fields("key slot", (), {1: array(row(uint, uint, ID32)), 2: ID16, 3: octets()})
HEAD = fields("head of config", (2,), {1: text, 2: uint, 3: ID16, 4: array(text), 5: array(text), 6: array(text)})
PARAMS = fields("config", (), {i: uint for i in range(1, 6)})
SEGMENT_HEAD = fields("segment head", (1,), {1: one_of(1, 2), 2: ID16, 3: integer, 4: integer, 5: array(ID16), 6: uint, 7: uint, 8: uint, 9: uint})
STATS = fields("statistics", (), {i: uint for i in range(1, 16)})
NAME = octets(1, 255)


def element(v):
    """An element of either list; which one its shape allows is seen where it is used."""
    need(type(v) is list and 1 <= len(v) <= 4, "not an element")
    if len(v) > 1:
        ID32(v[0])
        need(any(v[0]), "an ID is zero")
    for x in v[1:] if len(v) > 1 else v:
        need(type(x) is bytes or type(x) is int and 0 < x < 1 << 63, "an element has an impossible number")


ENTRY = fields("entry", (2,), {
    1: NAME, 2: one_of(*range(1, 8)), 3: uint, 4: uint, 5: uint, 6: size, 7: integer, 8: array(element), 9: octets(1, no_zero=True), 10: row(uint, uint),
    11: array(row(octets(1, no_zero=True), octets())), 12: row(uint, uint), 13: uint, 14: one_of(1), 64: uint, 65: integer})
PAGE = fields("page", (), {1: array(ENTRY), 2: array(row(uint, text)), 3: array(row(uint, text))})
NODE = fields("node", (), {1: one_of(1, 2), 2: array(element)})
MANIFEST_MAP = fields("manifest", (1, 3, 10, 17), {
    1: uint, 2: text, 3: row(integer, integer), 4: integer, 5: integer, 6: text, 7: text, 8: text, 9: one_of("user", "state", "transactional", "log"),
    10: array(row(octets(1), ENTRY, text, text)), 11: array(text), 12: one_of(1, 2, 3), 13: text, 14: array(uint), 15: STATS, 16: text, 17: one_of(1, 2, 3),
    18: array(row(octets(), one_of(1, 2, 3, 4), text), 10000), 19: uint, 20: octets(), 21: array(row(ID16, uint, ID32)), 22: ID16, 23: integer, 24: integer,
    25: array(ID16), 26: flag})
LEASE_MAP = fields("lease", (), {1: one_of(1, 2, 3), 2: text, 3: text, 4: uint, 5: text, 6: integer, 7: ID16})
CONDEMNED_MAP = fields("condemned record", (), {1: array(row(one_of(1, 2), ID32)), 2: ID16, 3: integer, 4: integer, 5: integer})
GONE_MAP = fields("gone record", (), {1: ID16, 2: ID16, 3: integer, 4: integer, 5: integer})
MARK_MAP = fields("mark", (), {1: one_of(*range(1, 10)), 2: array(text), 3: text, 4: text, 5: integer, 6: array(text), 7: integer, 8: ID16})
USAGE = fields("usage", (), {
    **{i: uint for i in range(1, 6)}, 6: array(row(text, uint)), 7: array(row(text, uint, uint, uint, uint, uint)), 8: text})
REPORT_MAP = fields("report", (), {
    1: ID16, 2: uint, 3: ID32, 4: one_of(1, 2, 3), 5: text, 6: text, 7: row(integer, integer), 8: text, 9: integer, 10: uint, 11: STATS, 12: text, 13: text,
    14: array(row(text, uint)), 15: array(row(one_of(1, 2), ID32, integer)), 65: USAGE})

_id, _pack = "([0-9a-f]{32})", "([0-9a-f]{2})/([0-9a-f]{64})"
NAMES = [(re.compile(p + r"\Z"), kind, check) for p, kind, check in (
    ("config", CONFIG, None),
    ("data/" + _pack, DATA_PACK, None),
    ("meta/" + _pack, META_PACK, None),
    ("index/([0-9a-f]{8})/(data|meta)/" + _id, SEGMENT, None),
    (r"snapshots/([0-9a-f]{8})/(\d{8}T\d{6}Z)-" + _id, MANIFEST, MANIFEST_MAP),
    ("leases/" + _id + r"/(0|[1-9]\d*|end)", LEASE, LEASE_MAP),
    ("condemned/" + _id, CONDEMNED, CONDEMNED_MAP),
    ("condemned/" + _id + "-gone", GONE, GONE_MAP),
    ("marks/" + _id, MARK, MARK_MAP),
    ("reports/" + _id, REPORT, REPORT_MAP))]
SLOT_NAME = re.compile(r"keys/(passphrase|machine|recipient)-([a-z0-9._]{1,63})-" + _id + r"\Z")


# ---------------------------------------------------------------- keys and envelopes


class Keys:
    """The sub-keys of one key, and the keys of objects."""

    def __init__(self, key):
        for attr, context in (("data", "data"), ("metadata", "metadata"), ("reports", "reports"), ("data_id", "data chunk id"),
                              ("tree_id", "tree page id"), ("tag", "source tag"), ("cut", "page cut")):
            setattr(self, attr, derive_key("savepoint v1 key " + context, key))

    def object_key(self, kind, salt):
        sub = {REPORT: self.reports, DATA_PACK: self.data}.get(kind, self.metadata)
        return derive_key("savepoint v1 " + KIND_NAME[kind], sub + salt)

    def source_tag(self, dataset, host):
        return keyed(self.tag, dataset.encode() + b"\0" + host.encode())[:4].hex()

    def h(self, items):
        return [d[-1] for d in keyed_many(self.cut, items)]


class Header:
    def __init__(self, raw, *kinds):
        need(len(raw) >= HEADER, "too short for a header")
        magic, self.kind, version, zero, self.epoch, self.domain, self.salt = struct.unpack(">8sBBHII32s", raw[:HEADER])
        self.raw = raw[:HEADER]
        need(magic == MAGIC, "not an object of a repository (magic)")
        need(version == VERSION, "format version %d, not %d", version, VERSION)
        need(self.kind in kinds, "kind %d, not %s", self.kind, kinds)
        need(zero == 0, "the header's zeros are not zero")


def unseal(key, nonce, sealed, additional, what):
    try:
        return AESGCM(key).decrypt(nonce, sealed, additional)
    except InvalidTag:
        raise Bad(what + " does not authenticate") from None


def open_envelope(keyset, repository, name, kind, raw, head=b""):
    """Returns the header and the payload."""
    header = Header(raw, kind)
    piece, size = 64 * KIB if kind == SEGMENT else MIB, len(raw) - HEADER
    count, rest = divmod(size, piece + 16)
    if rest:
        count += 1
    need(count > 0 and (rest == 0 or rest > 16 or rest == 16 and count == 1), "impossible size")
    need(size - 16 * count <= LIMIT[kind], "too large")
    need((header.epoch, header.domain) in keyset, "no key of epoch %d and domain %d", header.epoch, header.domain)
    key = keyset[header.epoch, header.domain].object_key(kind, header.salt)
    additional = header.raw + repository + name.encode() + head
    parts = []
    for i in range(count):
        start = HEADER + i * (piece + 16)
        nonce = i.to_bytes(11, "big") + (b"\1" if i == count - 1 else b"\0")
        parts.append(unseal(key, nonce, raw[start:start + piece + 16], additional, "piece %d" % i))
    return header, b"".join(parts)


def split_config(raw):
    need(len(raw) >= 4, "too short")
    n = int.from_bytes(raw[:4], "big")
    need(4 + n <= len(raw) <= LIMIT[CONFIG], "impossible length of the head")
    return raw[4:4 + n], raw[4 + n:]


# ---------------------------------------------------------------- packs

Block = collections.namedtuple("Block", "offset stored plain codec")
BLOCK, DIR_BLOCK, DIR_CHUNK = struct.Struct(">IIB3sI"), struct.Struct(">IIIB3sI"), struct.Struct(">32sIII")
SEG_PACK, SEG_ENTRY = struct.Struct(">32sI32sII"), struct.Struct(">32sHIII")


def check_block(offset, stored, plain, codec, zero, dictionary):
    need(zero == b"\0\0\0" and dictionary == 0, "a block header's zeros are not zero")
    need(codec in (0, 1), "unknown codec %d", codec)
    need(9 <= plain <= MAX_PLAIN and stored > 16, "a block of impossible size")
    return Block(offset, stored, plain, codec)


def open_block(key, repository, header, block, raw):
    """Opens a block with its block header; returns its chunks as (offset, bytes)."""
    got = check_block(block.offset, *BLOCK.unpack(raw[:16]))
    need(got == block and len(raw) == 16 + block.stored, "the block header is not the one that the directory has")
    nonce = b"\1\0\0\0" + block.offset.to_bytes(8, "big")
    body = unseal(key, nonce, raw[16:], repository + header.raw + raw[:16], "the block at %d" % block.offset)
    plain = unzstd(body, block.plain) if block.codec == 1 else body
    need(len(plain) == block.plain, "the block at %d has %d plain bytes, not %d", block.offset, len(plain), block.plain)
    count = int.from_bytes(plain[-4:], "big")
    need(0 < count <= (len(plain) - 4) // 5, "a plain block of %d chunks", count)
    tail = len(plain) - 4 - 4 * count
    chunks, pos = [], 0
    for (n,) in struct.iter_unpack(">I", plain[tail:-4]):
        need(1 <= n <= MAX_CHUNK, "a chunk of %d bytes", n)
        chunks.append((pos, plain[pos:pos + n]))
        pos += n
    need(pos == tail, "the lengths of a plain block do not add up")
    return chunks


def read_directory(blocks_raw, chunks_raw, end):
    """Decodes a directory; returns blocks and [(ID, block, offset, length)]."""
    blocks, at = [], HEADER
    for raw in DIR_BLOCK.iter_unpack(blocks_raw):
        b = check_block(*raw)
        need(b.offset == at, "a block at %d, not at %d", b.offset, at)
        at += 16 + b.stored
        blocks.append(b)
    need(at == end, "the blocks end at %d, not at %d", at, end)
    chunks = list(DIR_CHUNK.iter_unpack(chunks_raw))
    check_chunks(blocks, chunks)
    return blocks, chunks


def check_chunks(blocks, chunks):
    block, at, n = 0, 0, 0
    for id, b, offset, length in [*chunks, (b"", len(blocks), 0, 1)]:
        if b != block:
            need(n > 0 and b == block + 1 and at + 4 * n + 4 == blocks[block].plain, "the chunks of block %d do not fill it", block)
            block, at, n = b, 0, 0
        need(offset == at and 1 <= length <= MAX_CHUNK, "a gap between chunks, or a chunk of impossible length")
        at, n = at + length, n + 1
    need(block == len(blocks), "chunks of a block that is not there")


class Pack:
    """A pack, opened by its own directory."""

    def __init__(self, repo, raw, kind):
        need(HEADER + 12 + 24 <= len(raw) <= MAX_PACK, "a pack of impossible size")
        self.raw, self.header = raw, Header(raw, kind)
        keys = repo.keys_of(self.header)
        self.key = keys.object_key(kind, self.header.salt)
        self.id_key = keys.data_id if kind == DATA_PACK else keys.tree_id
        length = raw[-12:-8]
        n = int.from_bytes(length, "big")
        start = len(raw) - 12 - n
        need(raw[-8:] == END_MAGIC and n >= 24 and start >= HEADER, "the end of the pack is not one")
        nonce = b"\2\0\0\0" + start.to_bytes(8, "big")
        d = unseal(self.key, nonce, raw[start:-12], repo.id + self.header.raw + length, "the directory")
        nb, nc = struct.unpack(">II", d[:8])
        need(len(d) == 8 + 20 * nb + 44 * nc, "a directory of impossible size")
        self.blocks, self.chunks = read_directory(d[8:8 + 20 * nb], d[8 + 20 * nb:], start)
        self.end = start

    def verify(self, repo):
        """Opens every block and checks every chunk, by the directory and by a scan."""
        at, found = HEADER, []
        for i, b in enumerate(self.blocks):
            stored = int.from_bytes(self.raw[at:at + 4], "big")
            need(at == b.offset and stored == b.stored, "a scan does not find block %d", i)
            found += [(i, o, c) for o, c in open_block(self.key, repo.id, self.header, b, self.raw[at:at + 16 + stored])]
            at += 16 + stored
        need([(i, o, len(c)) for i, o, c in found] == [c[1:] for c in self.chunks], "the directory is not that of the blocks")
        for id, (i, o, c), chunk in zip(keyed_many(self.id_key, [c for _, _, c in found]), found, self.chunks):
            need(id == chunk[0], "the chunk at %d in block %d is not %s", o, i, chunk[0].hex())


class Segment:
    """An opened index segment."""

    def __init__(self, name, header, payload):
        self.name, self.header = name, header
        need(len(payload) >= 4, "too short")
        n = int.from_bytes(payload[:4], "big")
        need(4 + n <= len(payload), "impossible length of the head")
        self.head = h = cbor(payload[4:4 + n])
        SEGMENT_HEAD(h)
        np, nb, ne, per = (h.get(k, 0) for k in (6, 7, 8, 9))
        need(per == 1024, "%d entries per fence", per)
        fences = -(-ne // per)
        at = [4 + n]
        for size in (32 * fences, SEG_PACK.size * np, DIR_BLOCK.size * nb, SEG_ENTRY.size * ne):
            at.append(at[-1] + size)
        need(at[-1] == len(payload), "%d bytes, the head says %d", len(payload), at[-1])
        self.packs = list(SEG_PACK.iter_unpack(payload[at[1]:at[2]]))
        self.blocks = [check_block(*b) for b in DIR_BLOCK.iter_unpack(payload[at[2]:at[3]])]
        self.entries = list(SEG_ENTRY.iter_unpack(payload[at[3]:at[4]]))
        need(payload[at[0]:at[1]] == b"".join(e[0] for e in self.entries[::per]), "the fences are not the IDs of the entries")
        need(all(a[0] < b[0] for a, b in zip(self.packs, self.packs[1:])), "packs out of order")
        need(all(a[:4] < b[:4] for a, b in zip(self.entries, self.entries[1:])), "entries out of order")
        first = 0
        for p in self.packs:
            need(p[3] == first and p[4] > 0, "the blocks of pack %s begin at %d, not at %d", p[0].hex(), p[3], first)
            first += p[4]
        need(first == nb, "blocks of no pack")
        by_pack = [[] for _ in self.packs]
        for id, p, block, offset, length in self.entries:
            need(p < np, "an entry of pack %d of %d", p, np)
            by_pack[p].append((block, offset, id, length))
        self.directories = []
        for p, chunks in zip(self.packs, by_pack):
            chunks = [(id, block, offset, length) for block, offset, id, length in sorted(chunks)]
            blocks = self.blocks[p[3]:p[3] + p[4]]
            at = HEADER
            for b in blocks:
                need(b.offset == at, "a block at %d, not at %d", b.offset, at)
                at += 16 + b.stored
            need(at + 16 + 8 + 20 * len(blocks) + 44 * len(chunks) + 12 == p[1], "pack %s cannot have %d bytes", p[0].hex(), p[1])
            check_chunks(blocks, chunks)
            self.directories.append((blocks, chunks))

    @property
    def kind(self):
        return DATA_PACK if self.head[1] == 1 else META_PACK

    def find(self, id):
        """Yields (pack ID, salt, block, offset, length) for each place of a chunk."""
        i = bisect.bisect_left(self.entries, (id,))
        while i < len(self.entries) and self.entries[i][0] == id:
            _, p, block, offset, length = self.entries[i]
            yield self.packs[p][0], self.packs[p][2], self.blocks[self.packs[p][3] + block], offset, length
            i += 1


# ---------------------------------------------------------------- the repository


def is_late(stored, began, renewed):
    return stored > renewed + TTL or stored > began + SESSION or stored < renewed


class Manifest:
    def __init__(self, repo, name, m):
        self.name, self.map = name, m
        self.seq, self.dataset, self.host = m[1], m.get(8, ""), m.get(6, "")
        self.start, self.end = m[3]
        self.roots = m[10]
        self.late = is_late(repo.stored(name), m.get(23, 0), m.get(24, 0))
        tag, start, self.id = re.match(r"snapshots/(.{8})/(.*)-(.{32})$", name).groups()
        need(tag == repo.keys.source_tag(self.dataset, self.host), "the source tag is not that of %s@%s", self.dataset, self.host)
        need(start == time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.start // 10**9)), "the name says another start")
        need(self.start <= self.end, "the read window ends before it begins")
        paths = [p for p, *_ in self.roots]
        need(paths == sorted(set(paths)), "roots out of order")
        for path, e, _, _ in self.roots:
            need(path == os.path.normpath(path) and path[:1] == b"/" != path[1:2] and 1 not in e, "a root with a name, or without an absolute clean path")


class Repository:
    def __init__(self, folder, identity):
        self.folder = folder
        self.objects = {}  # name: os.stat_result
        self._list("")
        self._open_slot(identity)
        self._open_config()
        self._tree = {}
        self._opened = collections.OrderedDict()  # (pack, offset): {offset: (ID, bytes)}
        self._segments = None

    def _list(self, prefix):
        for e in os.scandir(os.path.join(self.folder, prefix)):
            name = prefix + e.name
            if not re.match(r"[A-Za-z0-9._-]+\Z", e.name):
                continue
            st = e.stat(follow_symlinks=False)
            if stat.S_ISDIR(st.st_mode):
                self._list(name + "/")
            elif stat.S_ISREG(st.st_mode) and st.st_size > 0:
                self.objects[name] = st

    def names(self, *kinds):
        return sorted(n for n in self.objects for p, kind, _ in NAMES if kind in kinds and p.match(n))

    def read(self, name, offset=0, size=-1):
        need(name in self.objects, "the object %s is missing", name)
        with open(os.path.join(self.folder, name), "rb") as f:
            f.seek(offset)
            return f.read(size)

    def stored(self, name):
        """The storage time of an object: in a folder, its file's ctime."""
        return self.objects[name].st_ctime_ns

    def _open_slot(self, identity):
        tried = []
        for name in sorted(self.objects):
            m = SLOT_NAME.match(name)
            if not m or m[1] == "passphrase" or self.objects[name].st_size > MAX_SLOT:
                continue
            r = subprocess.run(["age", "-d", "-i", identity, os.path.join(self.folder, name)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if r.returncode != 0:
                tried.append("%s: %s" % (name, r.stderr.decode(errors="replace").strip().split("\n")[0]))
                continue
            slot = about(name, cbor, r.stdout)
            about(name, SLOT, slot)
            self.keyset = {(epoch, domain): Keys(key) for epoch, domain, key in slot.get(1, [])}
            self.id, self.slot_config, self.slot = slot.get(2, b""), slot.get(3, b""), name
            need((0, 0) in self.keyset, "%s: no key of epoch 0 and domain 0", name)
            self.keys = self.keyset[0, 0]
            return
        raise Bad("no key slot opens with this identity\n" + "\n".join(tried))

    def _open_config(self):
        raw = self.read("config")
        about("config", self._check_config, raw)

    def _check_config(self, raw):
        head_raw, envelope = split_config(raw)
        head = cbor(head_raw)
        # The version first: what else a newer head may hold is not known.
        need(type(head) is dict and head.get(2) == VERSION, "format version %s, not %d", head.get(2) if type(head) is dict else None, VERSION)
        HEAD(head)
        need(head.get(1) == "savepoint repository", "not a repository")
        need(head.get(3) == self.id, "the key slot is of another repository")
        need(not head.get(6), "needs features that this reader does not have: %s", head.get(6))
        need(raw == self.slot_config, "not the bytes that the key slot holds")
        _, payload = open_envelope(self.keyset, self.id, "config", CONFIG, envelope, head_raw)
        p = cbor(payload)
        PARAMS(p)
        need(p.get(1) == 1 and 0 < p.get(2, 0) <= p.get(3, 0) <= MAX_CHUNK and p.get(5, 0).bit_length() == 54, "impossible parameters")
        self.minimum, self.maximum = p[2], p[3]

    def keys_of(self, header):
        need((header.epoch, header.domain) in self.keyset, "no key of epoch %d and domain %d", header.epoch, header.domain)
        return self.keyset[header.epoch, header.domain]

    def envelope(self, name, kind):
        return open_envelope(self.keyset, self.id, name, kind, self.read(name))

    def record(self, name):
        """Opens and checks an envelope whose payload is one CBOR map."""
        kind, check = next((k, c) for p, k, c in NAMES if p.match(name))
        m = cbor(self.envelope(name, kind)[1])
        check(m)
        return m

    def manifest(self, name):
        return about(name, lambda: Manifest(self, name, self.record(name)))

    def choose(self, word):
        found = [n for n in self.names(MANIFEST) if n == word or n.rsplit("-", 1)[1].startswith(word)]
        need(len(found) == 1, "%d snapshots are called %s", len(found), word)
        return self.manifest(found[0])

    def open_segment(self, name):
        header, payload = self.envelope(name, SEGMENT)
        s = Segment(name, header, payload)
        parts = name.split("/")
        need(header.domain == int(parts[1], 16) and (parts[2] == "data") == (s.kind == DATA_PACK), "the name has another domain or kind")
        return s

    def segments(self):
        """All segments that open: those that count, and then the void ones."""
        if self._segments is None:
            opened = []
            for name in self.names(SEGMENT):
                try:
                    opened.append(about(name, self.open_segment, name))
                except Bad as e:  # its chunks may be elsewhere too
                    print("reader.py: %s" % e, file=sys.stderr)
            self._segments = self.sort_segments(opened)
        return self._segments[0] + self._segments[1]

    def sort_segments(self, opened):
        late = [is_late(self.stored(s.name), s.head.get(3, 0), s.head.get(4, 0)) for s in opened]
        superseded = {id.hex() for s, l in zip(opened, late) if not l for id in s.head.get(5, [])}
        good = [s for s, l in zip(opened, late) if not l and s.name.rsplit("/", 1)[1] not in superseded]
        return good, [s for s in opened if s not in good]

    def chunk(self, id, kind):
        """A chunk's bytes. Where its ID has several places, any that opens will do."""
        failed = None
        for s in self.segments():
            if s.kind != kind:
                continue
            for place in s.find(id):
                try:
                    return self._chunk_at(id, s, *place)
                except Bad as e:
                    failed = failed or e
        raise failed or Bad("no segment has the chunk %s" % id.hex())

    def _chunk_at(self, id, segment, pack, salt, block, offset, length):
        name = "%s/%s/%s" % ("data" if segment.kind == DATA_PACK else "meta", pack.hex()[:2], pack.hex())
        opened = self._opened.get((pack, block.offset))
        if opened is None:
            opened = about(name, self._open_block_of, name, segment, salt, block)
            self._opened[pack, block.offset] = opened
            if len(self._opened) > 64:
                self._opened.popitem(last=False)
        got = opened.get(offset)
        need(got is not None and got[0] == id and len(got[1]) == length, "%s: no chunk %s at %d in the block at %d", name, id.hex(), offset, block.offset)
        return got[1]

    def _open_block_of(self, name, segment, salt, block):
        header = Header(self.read(name, 0, HEADER), segment.kind)
        need(header.salt == salt and (header.epoch, header.domain) == (segment.header.epoch, segment.header.domain), "the header is not the one in the index")
        keys = self.keys_of(header)
        chunks = open_block(keys.object_key(segment.kind, salt), self.id, header, block, self.read(name, block.offset, 16 + block.stored))
        ids = keyed_many(keys.data_id if segment.kind == DATA_PACK else keys.tree_id, [c for _, c in chunks])
        return {o: (id, c) for id, (o, c) in zip(ids, chunks)}

    # ------------------------------------------------------------ trees

    def tree_chunk(self, id, check):
        if id not in self._tree:
            raw = self.chunk(id, META_PACK)
            need(len(raw) <= MAX_TREE, "a page or node of %d bytes", len(raw))
            m = cbor(raw)
            check(m)
            self._tree[id] = m
        return self._tree[id]

    def expand(self, top, directory):
        """Returns the leaves of a list (pages, or chunks and holes), level by level, and checks its nodes."""
        def is_node(e):
            return len(e) == (4 if directory else 3)
        need(len(top) <= 32, "a list of %d elements was not cut", len(top))
        level, depth = top, 0
        while True:
            for e in level:
                shape = (ID32, uint, uint, NAME) if directory else (ID32, uint, uint)
                shape = shape if is_node(e) else (ID32, uint, NAME) if directory else (ID32, uint) if len(e) == 2 else (uint,)
                row(*shape)(e)
            nodes = sum(map(is_node, level))
            if not nodes:
                break
            need(nodes == len(level), "nodes beside other elements")
            depth += 1
            need(depth <= 8, "nodes nested too deep")
            groups = []
            for e in level:
                node = self.tree_chunk(e[0], NODE)
                got = node.get(2, [])
                need(node.get(1) == (2 if directory else 1) and got, "node %s is empty or of the other kind", e[0].hex())
                size = sum(x[0] if len(x) == 1 else x[1] for x in got)
                count = sum(x[2] if is_node(x) else 1 for x in got)
                need([size, count] == e[1:3], "node %s has %d and %d below, its element says %s", e[0].hex(), size, count, e[1:3])
                need(not directory or got[0][-1] == e[3], "node %s has another first name", e[0].hex())
                groups.append(got)
            self._check_node_cut(groups, directory)
            level = [e for g in groups for e in g]
            need(len(level) > 32, "a list of %d elements was cut", len(level))
        return level

    def _check_node_cut(self, groups, directory):
        flat = [e for g in groups for e in g]
        xs = [e for e in flat if directory or len(e) > 1]
        h = dict(zip(map(id, xs), self.keys.h([e[-1] if directory else e[0] for e in xs])))
        for i, g in enumerate(groups):
            for n, e in enumerate(g, 1):
                ends = n >= 16 and id(e) in h and h[id(e)] & 63 == 0 or n == 256
                last = n == len(g)
                need(not ends or last, "a node should have ended after %d elements", n)
                need(ends or not last or i == len(groups) - 1, "a node ended after %d elements", n)

    def directory(self, e):
        """Yields the entries of a directory after its pages have been checked."""
        pages, groups = self.expand(e.get(8, []), True), []
        for id, count, first in pages:
            page = self.tree_chunk(id, PAGE)
            entries = page.get(1, [])
            need(len(entries) == count > 0 and all(1 in x for x in entries) and entries[0][1] == first, "page %s is not as its element says", id.hex())
            for key, number in ((2, 4), (3, 5)):
                table = [t[0] for t in page.get(key, [])]
                need(table == sorted(set(table)) and set(table) <= {x.get(number, 0) for x in entries}, "page %s: a table of names out of order or too long", id.hex())
            groups.append(entries)
        names = [x[1] for g in groups for x in g]
        need(all(a < b for a, b in zip(names, names[1:])), "entries out of order")
        need(not any(n in (b".", b"..") or b"/" in n or b"\0" in n for n in names), "an impossible name")
        self._check_page_cut(groups, names)
        for g in groups:
            yield from g

    def _check_page_cut(self, groups, names):
        h = dict(zip(names, self.keys.h(names)))
        for i, g in enumerate(groups):
            size = 0
            for n, e in enumerate(g, 1):
                length = len(encode(e))
                need(length <= MAX_ENTRY, "an entry of %d bytes", length)
                size += length
                need(n == 1 or size <= 65536, "a page should have ended before %r", e[1])
                ends = size >= 4096 and h[e[1]] & 63 == 0
                last = n == len(g)
                need(not ends or last, "a page should have ended after %r", e[1])
                if last and not ends and i + 1 < len(groups):
                    need(size + len(encode(groups[i + 1][0])) > 65536, "a page ended after %r", e[1])

    def extents(self, e):
        """The chunks and holes of a file, checked against its size and splitter."""
        parts = self.expand(e.get(8, []), False)
        sizes = [p[-1] for p in parts]
        need(sum(sizes) == e.get(6, 0), "%d bytes of content, the size is %d", sum(sizes), e.get(6, 0))
        need(not any(len(a) == len(b) == 1 for a, b in zip(parts, parts[1:])), "two holes touch")
        small = e.get(13, self.minimum)
        if parts and e[6] <= small and all(len(p) == 2 for p in parts):
            need(len(parts) == 1, "a small file of %d chunks", len(parts))
        most = e.get(13, self.maximum)
        need(all(len(p) == 1 or p[1] <= most for p in parts), "a chunk larger than the splitter's most")
        return parts

    def walk(self, manifest):
        """Yields (path, entry), parents first, names in order."""
        for path, e, _, _ in manifest.roots:
            yield from self._walk(path, e, len(manifest.map.get(14, [])))

    def _walk(self, path, e, devices):
        try:
            check_entry(e, devices)
            entries = list(self.directory(e)) if e[2] == 2 else ()
        except Bad as err:
            raise Bad("%s: %s" % (os.fsdecode(path), err)) from None
        yield path, e
        for x in entries:
            yield from self._walk(path.rstrip(b"/") + b"/" + x[1], x, devices)

    def content(self, e):
        """Yields a file's bytes in pieces."""
        for p in self.extents(e):
            if len(p) == 2:
                data = self.chunk(p[0], DATA_PACK)
                need(len(data) == p[1], "chunk %s has %d bytes, not %d", p[0].hex(), len(data), p[1])
                yield data
            else:
                for at in range(0, p[0], MIB):
                    yield bytes(min(MIB, p[0] - at))


def check_entry(e, devices):
    """Which fields an entry of its type may have."""
    only = {6: (1,), 8: (1, 2), 9: (3,), 10: (6, 7), 13: (1,), 14: (1, 2), 12: (1, 3, 4, 5, 6, 7)}
    for key, types in only.items():
        need(key not in e or e[2] in types, "an entry of type %d has field %d", e[2], key)
    need(e.get(3, 0) <= 0o7777, "mode %o", e.get(3, 0))
    need(12 not in e or e[12][0] < devices, "the device table has no %s", e.get(12))
    names = [n for n, _ in e.get(11, [])]
    need(names == sorted(set(names)), "extended attributes out of order")


def about(name, f, *args):
    """Calls f; what it refuses names the object."""
    try:
        return f(*args)
    except Bad as e:
        raise e if str(e).startswith(name) else Bad("%s: %s" % (name, e)) from None


# ---------------------------------------------------------------- verify


class Verify:
    def __init__(self, repo):
        self.repo, self.wrong, self.packs, self.gone = repo, [], {}, set()

    def attempt(self, name, f, *args):
        try:
            return about(name, f, *args)
        except Bad as e:
            self.wrong.append(str(e))
            return None

    def run(self):
        selftest()
        repo = self.repo
        records = {name: self.attempt(name, repo.record, name) for name in repo.names(LEASE, CONDEMNED, MARK, GONE)}
        for name, m in records.items():
            if m and name + "-gone" in records:
                for kind, id in m.get(1, []):
                    self.gone.add("%s/%s/%s" % ("data" if kind == 1 else "meta", id.hex()[:2], id.hex()))
        self.reports()
        self.verify_packs()
        self.verify_segments()
        self.verify_manifests()
        return self.wrong

    def verify_packs(self):
        repo = self.repo
        names = repo.names(DATA_PACK, META_PACK)
        for name, sum in zip(names, _b3sum([], names, cwd=repo.folder)):
            self.attempt(name, self.verify_pack, name, sum)

    def verify_pack(self, name, sum):
        folder, short, id = name.split("/")
        pack = Pack(self.repo, self.repo.read(name), DATA_PACK if folder == "data" else META_PACK)
        self.packs[name] = pack.header, len(pack.raw), pack.blocks, pack.chunks
        pack.verify(self.repo)
        need(sum.hex() == id and short == id[:2], "its bytes have another BLAKE3: %s", sum.hex())

    def verify_segments(self):
        repo = self.repo
        opened = [s for s in (self.attempt(n, repo.open_segment, n) for n in repo.names(SEGMENT)) if s]
        repo._segments = good, _ = repo.sort_segments(opened)
        for s in opened:
            self.attempt(s.name, self.verify_segment, s, s in good)
        self.on_time = {e[0] for s in good if s.kind == DATA_PACK for e in s.entries}
        named = {p[0].hex() for s in opened for p in s.packs}
        for name in self.packs:
            if name.rsplit("/", 1)[1] not in named:
                print("note: %s is in no segment" % name, file=sys.stderr)

    def verify_segment(self, s, good):
        for (id, size, salt, _, _), directory in zip(s.packs, s.directories):
            name = "%s/%s/%s" % ("data" if s.kind == DATA_PACK else "meta", id.hex()[:2], id.hex())
            if name not in self.packs:
                need(not good or name in self.repo.objects or name in self.gone, "the pack %s is missing", name)
                continue
            header, raw_size, blocks, chunks = self.packs[name]
            need(header.salt == salt and size == raw_size and (header.epoch, header.domain) == (s.header.epoch, s.header.domain), "another header or size of %s", name)
            need((blocks, chunks) == directory, "not the directory of %s", name)

    def verify_manifests(self):
        found = [m for m in (self.attempt(n, self.repo.manifest, n) for n in self.repo.names(MANIFEST)) if m]
        seqs = collections.Counter((m.dataset, m.host, m.seq) for m in found)
        for m in found:
            if seqs[m.dataset, m.host, m.seq] > 1:
                print("note: %s: seq %d is there twice" % (m.name, m.seq), file=sys.stderr)
            self.attempt(m.name, self.verify_tree, m)

    def verify_tree(self, m):
        counts = collections.Counter()
        for path, e in self.repo.walk(m):
            counts[{1: 1, 2: 2}.get(e[2], 3)] += 1
            counts[4] += e.get(6, 0)
            if e[2] == 1:
                for p in about(os.fsdecode(path), self.repo.extents, e):
                    if len(p) == 2:
                        need(p[0] in self.on_time, "%s: no valid segment has the chunk %s", os.fsdecode(path), p[0].hex())
        stats = m.map.get(15, {})
        for k in range(1, 5):
            need(stats.get(k, 0) == counts[k], "statistics: %d at %d, a walk finds %d", stats.get(k, 0), k, counts[k])
        need(m.map.get(19, 0) >= len(m.map.get(18, [])), "fewer faults than are listed")

    def reports(self):
        chains = collections.defaultdict(dict)
        for name in self.repo.names(REPORT):
            m = self.attempt(name, self.repo.record, name)
            if m:
                chains[m.get(1)][m.get(2)] = name, m.get(3, bytes(32))
        for chain in chains.values():
            for seq, (name, before) in chain.items():
                if seq == 1:
                    need_hash = bytes(32)
                elif seq - 1 in chain:
                    need_hash = _b3sum([], [chain[seq - 1][0]], cwd=self.repo.folder)[0]
                else:
                    continue
                self.attempt(name, need, before == need_hash, "not the hash of the report before it")


# ---------------------------------------------------------------- test vectors


def diagnostic(v):
    """CBOR's diagnostic notation."""
    if isinstance(v, bytes):
        return "h'%s'" % v.hex()
    if isinstance(v, dict):
        return "{%s}" % ", ".join("%s: %s" % (diagnostic(k), diagnostic(x)) for k, x in v.items())
    if isinstance(v, list):
        return "[%s]" % ", ".join(map(diagnostic, v))
    return json.dumps(v, ensure_ascii=False)


class Vectors:
    """Recomputes the test vectors; wrong lists those that differ."""

    def __init__(self, v):
        self.v, self.wrong, self.checked = v, [], 0
        i = v["inputs"]
        self.id, self.salt = bytes.fromhex(i["repository_id"]), bytes.fromhex(i["salt"])
        self.keys = Keys(bytes.fromhex(i["key"]))
        self.keyset = {(i["epoch"], i["domain"]): self.keys}
        self.epoch, self.domain = i["epoch"], i["domain"]

    def keys_of(self, header):
        return self.keyset[header.epoch, header.domain]

    def same(self, what, got, want):
        self.checked += 1
        got = got.hex() if isinstance(got, bytes) else got
        if got != want:
            self.wrong.append("%s: %s, the vector says %s" % (what, str(got)[:200], str(want)[:200]))

    def run(self):
        need(self.v["version"] == VERSION, "the vectors are of version %d, not %d", self.v["version"], VERSION)
        checks = {"sub_keys": self.sub_keys, "object_keys": self.object_keys, "chunk_ids": self.chunk_ids, "source_tag": self.source_tag,
                  "page_cuts": self.page_cuts, "config": self.config, "slot": self.slot, "envelope": self.envelope, "pack": self.pack, "page": self.page,
                  "node_list": self.node_list, "segment": self.segment}
        for name, part in self.v.items():
            if name in checks:
                try:
                    checks[name](part)
                except Bad as e:
                    self.wrong.append("%s: %s" % (name, e))
            elif name not in ("about", "version", "inputs"):
                self.wrong.append("%s: this reader does not know such vectors" % name)
        for name in checks.keys() - self.v.keys():
            self.wrong.append("%s: no vectors" % name)

    def sub_keys(self, part):
        own = {"data": "data", "metadata": "metadata", "reports": "reports", "data ID": "data_id", "tree ID": "tree_id", "tag": "tag", "cut": "cut"}
        self.same("sub-keys", sorted(part), sorted(own))
        for name, want in part.items():
            self.same(name, getattr(self.keys, own[name]), want)

    def object_keys(self, part):
        for kind, want in part.items():
            self.same("object key of kind " + kind, self.keys.object_key(int(kind), self.salt), want)

    def chunk_ids(self, part):
        for c in part:
            self.same("data chunk ID", keyed(self.keys.data_id, bytes.fromhex(c["plain"])), c["data_chunk_id"])
            self.same("tree chunk ID", keyed(self.keys.tree_id, bytes.fromhex(c["plain"])), c["tree_chunk_id"])

    def source_tag(self, part):
        self.same("source tag", self.keys.source_tag(part["dataset_text"], part["host_text"]), part["tag"])

    def page_cuts(self, part):
        for c in part:
            self.same("h(%s)" % c["x"], "%02x" % self.keys.h([bytes.fromhex(c["x"])])[0], c["h"])

    def config(self, part):
        raw = bytes.fromhex(part["bytes"])
        head, envelope = split_config(raw)
        HEAD(cbor(head))
        self.same("head of config", cbor(head), {1: "savepoint repository", 2: VERSION, 3: self.id})
        _, payload = open_envelope(self.keyset, self.id, "config", CONFIG, envelope, head)
        PARAMS(cbor(payload))
        self.same("config", payload, part["payload"])
        self.same("config, sealed again", raw[:4] + head + self.seal("config", CONFIG, payload, head), part["bytes"])

    def slot(self, part):
        with _scratch() as d:
            with open(os.path.join(d, "identity"), "w") as f:
                f.write(part["identity_text"] + "\n")
            r = subprocess.run(["age", "-d", "-i", f.name], input=bytes.fromhex(part["bytes"]), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        need(r.returncode == 0, "age: %s", r.stderr.decode(errors="replace"))
        self.same("key slot", r.stdout, part["plain"])
        m = cbor(r.stdout)
        SLOT(m)
        key = bytes.fromhex(self.v["inputs"]["key"])
        self.same("key slot's fields", m, {1: [[self.epoch, self.domain, key]], 2: self.id, 3: bytes.fromhex(self.v["config"]["bytes"])})

    def seal(self, name, kind, payload, head=b""):
        header = struct.pack(">8sBBHII32s", MAGIC, kind, VERSION, 0, self.epoch, self.domain, self.salt)
        piece = 64 * KIB if kind == SEGMENT else MIB
        out, count, key = [header], max(1, -(-len(payload) // piece)), AESGCM(self.keys.object_key(kind, self.salt))
        for i in range(count):
            nonce = i.to_bytes(11, "big") + (b"\1" if i == count - 1 else b"\0")
            out.append(key.encrypt(nonce, payload[i * piece:i * piece + piece], header + self.id + name.encode() + head))
        return b"".join(out)

    def envelope(self, part):
        payload = bytes(i % 251 for i in range(65636))
        raw = self.seal(part["name_text"], part["kind"], payload)
        self.same("envelope's length", len(raw), part["length"])
        self.same("envelope's beginning", raw[:100], part["first_100_bytes"])
        self.same("envelope's end", raw[-132:], part["last_132_bytes"])
        self.same("envelope's BLAKE3", _blake3(raw, IV, 0), part["blake3"])
        self.same("envelope, opened", open_envelope(self.keyset, self.id, part["name_text"], part["kind"], raw)[1], payload.hex())

    def pack(self, part):
        raw = bytes.fromhex(part["bytes"])
        self.same("pack ID", _blake3(raw, IV, 0), part["pack_id"])
        self.opened = p = Pack(self, raw, DATA_PACK)
        p.verify(self)
        chunks = [[c.hex() for _, c in open_block(p.key, self.id, p.header, b, raw[b.offset:b.offset + 16 + b.stored])] for b in p.blocks]
        self.same("chunks of a pack", chunks, part["chunks_of_blocks"])

    def tree_object(self, what, part, check):
        raw = bytes.fromhex(part["bytes"])
        m = cbor(raw)
        check(m)
        self.same(what + ", encoded again", encode(m), part["bytes"])
        self.same(what + ", as text", diagnostic(m), part["diagnostic_text"])
        if part["tree_chunk_id"]:
            self.same(what + "'s ID", keyed(self.keys.tree_id, raw), part["tree_chunk_id"])
        return m

    def page(self, part):
        m = self.tree_object("page", part, PAGE)
        for e in m[1]:
            check_entry(e, 1)

    def node_list(self, part):
        elements = []
        for i in range(300):
            if i % 50 == 49:
                elements.append([4096])
            elements.append([keyed(self.keys.data_id, i.to_bytes(4, "big")), 4])
        nodes = []
        while len(elements) > 32:
            groups = [[]]
            for e in elements:
                groups[-1].append(e)
                n = len(groups[-1])
                if n == 256 or n >= 16 and len(e) > 1 and self.keys.h([e[0]])[0] & 63 == 0:
                    groups.append([])
            level = [encode({1: 1, 2: g}) for g in groups if g]
            nodes += level
            elements = [[keyed(self.keys.tree_id, raw), sum(e[0] if len(e) == 1 else e[1] for e in g), sum(e[2] if len(e) == 3 else 1 for e in g)]
                        for raw, g in zip(level, groups)]
        self.same("nodes", [raw.hex() for raw in nodes], [n["bytes"] for n in part["nodes"]])
        for n in part["nodes"]:
            self.tree_object("node", n, NODE)
        root = self.tree_object("root entry", part["root_entry"], ENTRY)
        self.same("root entry's list", hexed(root[8]), hexed(elements))
        self.same("root entry's size", root[6], sum(e[1] for e in elements))

    def segment(self, part):
        header = Header(self.seal("", SEGMENT, b""), SEGMENT)
        s = Segment("", header, bytes.fromhex(part["payload"]))
        h = s.head
        self.same("segment's lease", [h[1], h[2].hex(), h[3], h[4]], [1, part["lease_id"], part["began"], part["renewed"]])
        self.same("segment's packs", hexed([list(p) for p in s.packs]), [[self.v["pack"]["pack_id"], len(self.opened.raw), self.salt.hex(), 0, 2]])
        self.same("segment's directory", s.directories == [(self.opened.blocks, self.opened.chunks)], True)


# ---------------------------------------------------------------- commands


def hexed(v):
    if isinstance(v, bytes):
        return v.hex()
    return [hexed(x) for x in v] if isinstance(v, list) else v


def show_snapshots(repo):
    failed = None
    for name in repo.names(MANIFEST):
        try:
            m = repo.manifest(name)
            files = sum(1 for _, e in about(name, lambda: list(repo.walk(m))) if e[2] == 1)
        except Bad as e:
            print("reader.py: %s" % e, file=sys.stderr)
            failed = 1
            continue
        print(json.dumps({"name": m.name, "seq": m.seq, "source": "%s@%s" % (m.dataset, m.host), "window": [m.start, m.end], "late": m.late,
                          "completeness": m.map[17], "roots": [hexed(p) for p, *_ in m.roots], "files": files}))
    return failed


def show_entries(repo, m, sums):
    types = {1: "file", 2: "directory", 3: "symlink", 4: "fifo", 5: "socket", 6: "character device", 7: "block device"}
    for path, e in repo.walk(m):
        line = {"path": path.hex(), "type": types[e[2]], "mode": e.get(3, 0), "uid": e.get(4, 0), "gid": e.get(5, 0), "size": e.get(6, 0), "mtime": e.get(7, 0)}
        for key, word in ((9, "target"), (10, "device"), (11, "xattrs"), (12, "link"), (14, "fault"), (64, "inode"), (65, "ctime")):
            if key in e:
                line[word] = hexed(e[key])
        if e[2] == 1:
            parts = repo.extents(e)
            line["chunks"] = sum(1 for p in parts if len(p) == 2)
            line["holes"] = sum(1 for p in parts if len(p) == 1)
            if sums:
                h = hashlib.sha256()
                for data in repo.content(e):
                    h.update(data)
                line["sha256"] = h.hexdigest()
        print(json.dumps(line))


def cat(repo, m, path):
    for p, e in repo.walk(m):
        if p == path:
            need(e[2] == 1, "not a file")
            for data in repo.content(e):
                sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
    raise Bad("%s has no %s" % (m.name, os.fsdecode(path)))


def main():
    global VERSION
    a = argparse.ArgumentParser()
    a.add_argument("--repo")
    a.add_argument("--identity")
    a.add_argument("--format-version", type=int, default=VERSION, help="0 for what was made before the format was declared: only for tests")
    sub = a.add_subparsers(dest="command", required=True)
    sub.add_parser("snapshots")
    ls = sub.add_parser("ls")
    ls.add_argument("--sum", action="store_true", help="add the SHA-256 of the bytes of every file")
    ls.add_argument("snapshot")
    c = sub.add_parser("cat")
    c.add_argument("snapshot")
    c.add_argument("path")
    sub.add_parser("verify")
    sub.add_parser("vectors").add_argument("file")
    sub.add_parser("selftest")
    o = a.parse_args()
    VERSION = o.format_version
    try:
        if o.command == "selftest":
            return selftest()
        if o.command == "vectors":
            with open(o.file) as f:
                v = Vectors(json.load(f))
            v.run()
            print("%d values, %d differ" % (v.checked, len(v.wrong)))
            for w in v.wrong:
                print(w, file=sys.stderr)
            return 1 if v.wrong else None
        need(o.repo and o.identity, "--repo and --identity are needed")
        repo = Repository(o.repo, o.identity)
        if o.command == "snapshots":
            return show_snapshots(repo)
        elif o.command == "ls":
            show_entries(repo, repo.choose(o.snapshot), o.sum)
        elif o.command == "cat":
            cat(repo, repo.choose(o.snapshot), os.fsencode(o.path))
        else:
            wrong = Verify(repo).run()
            for w in wrong:
                print(w, file=sys.stderr)
            return 1 if wrong else None
    except (Bad, OSError, subprocess.CalledProcessError) as e:
        print("reader.py: %s" % e, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
