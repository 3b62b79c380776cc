"""The scenario list of test/conformance/README.md with the DataStax Python driver. Argument: host:port."""
import os
import ssl
import sys
import traceback
import uuid
from datetime import datetime
from decimal import Decimal

from cassandra import AlreadyExists, InvalidRequest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster
from cassandra.protocol import SyntaxException
from cassandra.query import BatchStatement, BatchType, SimpleStatement
from cassandra.util import Date, Duration, Time

KS = 'conf_python'
host, port = (sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1:9142').rsplit(':', 1)
failed = 0


# The scenarios of a short run: that a way in works, values of all types and prepared statements.
SHORT = ['connect', 'create keyspace', 'create table of all scalar types', 'insert literals', 'insert prepared', 'drop keyspace']


def scenario(name):
    def run(body):
        global failed
        wanted = {'short': SHORT, 'connect': ['connect']}.get(os.environ.get('CQLOCK_TEST_SCENARIOS'))
        if wanted is not None and name not in wanted:
            return body
        try:
            body()
            print(f'scenario ok {name}', flush=True)
        except Exception:  # the report is the point
            failed += 1
            print(f'scenario FAILED {name}: {traceback.format_exc()}', flush=True)
        return body
    return run


def raises(kind, cql):
    try:
        session.execute(cql)
    except kind:
        return
    raise AssertionError(f'{cql}: no {kind.__name__}')


SCALARS = [
    ('c_ascii', 'ascii', "'abc'", 'abc'),
    ('c_bigint', 'bigint', '-9223372036854775808', -9223372036854775808),
    ('c_blob', 'blob', '0x00ff10', b'\x00\xff\x10'),
    ('c_boolean', 'boolean', 'true', True),
    ('c_date', 'date', "'2024-02-29'", Date('2024-02-29')),
    ('c_decimal', 'decimal', '-12.3400', Decimal('-12.3400')),
    ('c_double', 'double', '1.5e300', 1.5e300),
    ('c_duration', 'duration', '1mo2d3ns', Duration(1, 2, 3)),
    ('c_float', 'float', '-0.5', -0.5),
    ('c_inet', 'inet', "'2001:db8::1'", '2001:db8::1'),
    ('c_int', 'int', '-42', -42),
    ('c_smallint', 'smallint', '-32768', -32768),
    ('c_text', 'text', "'über 日本'", 'über 日本'),
    ('c_time', 'time', "'08:12:54.123456789'", Time('08:12:54.123456789')),
    ('c_timestamp', 'timestamp', "'2024-05-06T07:08:09.010Z'", datetime(2024, 5, 6, 7, 8, 9, 10000)),
    ('c_timeuuid', 'timeuuid', 'e23f1e02-8afa-11ee-b9d1-0242ac120002', uuid.UUID('e23f1e02-8afa-11ee-b9d1-0242ac120002')),
    ('c_tinyint', 'tinyint', '-128', -128),
    ('c_uuid', 'uuid', '123e4567-e89b-42d3-a456-426614174000', uuid.UUID('123e4567-e89b-42d3-a456-426614174000')),
    ('c_varchar', 'varchar', "'it''s'", "it's"),
    ('c_varint', 'varint', '123456789012345678901234567890', 123456789012345678901234567890),
]
NAMES = ', '.join(c for c, _, _, _ in SCALARS)


def check(row):
    for c, _, _, value in SCALARS:
        assert getattr(row, c) == value, f'{c}: {getattr(row, c)!r} is not {value!r}'
    assert str(row.c_decimal) == '-12.3400', 'scale of a decimal cell'


def identity():
    """TLS and password, as the variables say."""
    options = {}
    if 'CQLOCK_TEST_TLS_CA' in os.environ:
        context = ssl.create_default_context(cafile=os.environ['CQLOCK_TEST_TLS_CA'])
        if 'CQLOCK_TEST_TLS_CERT' in os.environ:
            context.load_cert_chain(os.environ['CQLOCK_TEST_TLS_CERT'], os.environ['CQLOCK_TEST_TLS_KEY'])
        options.update(ssl_context=context, ssl_options={'server_hostname': host})
    if 'CQLOCK_TEST_USER' in os.environ:
        options['auth_provider'] = PlainTextAuthProvider(os.environ['CQLOCK_TEST_USER'], os.environ['CQLOCK_TEST_PASSWORD'])
    return options


cluster = Cluster([host], port=int(port), **identity())
session = None


@scenario('connect')
def _():
    global session
    session = cluster.connect()


if session is None:
    sys.exit(1)


@scenario('create keyspace')
def _():
    session.execute(f'DROP KEYSPACE IF EXISTS {KS}', timeout=60)
    session.execute(f"CREATE KEYSPACE {KS} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    session.set_keyspace(KS)


@scenario('create table of all scalar types')
def _():
    session.execute(f"CREATE TABLE scalars (id int PRIMARY KEY, {', '.join(f'{c} {t}' for c, t, _, _ in SCALARS)})")


@scenario('insert literals')
def _():
    session.execute(f"INSERT INTO scalars (id, {NAMES}) VALUES (1, {', '.join(lit for _, _, lit, _ in SCALARS)})")
    check(session.execute('SELECT * FROM scalars WHERE id = 1').one())


@scenario('insert prepared')
def _():
    insert = session.prepare(f"INSERT INTO scalars (id, {NAMES}) VALUES (?, {', '.join('?' for _ in SCALARS)})")
    session.execute(insert, [2] + [v for _, _, _, v in SCALARS])
    check(session.execute(session.prepare('SELECT * FROM scalars WHERE id = ?'), [2]).one())


@scenario('every scalar as key')
def _():
    for c, t, lit, value in SCALARS:
        if t == 'duration':
            continue
        session.execute(f'CREATE TABLE k_{c} (p {t}, c {t}, v int, PRIMARY KEY (p, c)) WITH CLUSTERING ORDER BY (c DESC)')
        session.execute(f'INSERT INTO k_{c} (p, c, v) VALUES ({lit}, {lit}, 1)')
        session.execute(session.prepare(f'INSERT INTO k_{c} (p, c, v) VALUES (?, ?, ?)'), [value, value, 2])
        rows = session.execute(session.prepare(f'SELECT p, c, v FROM k_{c} WHERE p = ? AND c >= ?'), [value, value]).all()
        assert [(r.p, r.c, r.v) for r in rows] == [(value, value, 2)], f'{t}: {rows}'


@scenario('update and delete')
def _():
    session.execute("UPDATE scalars SET c_text = 'changed' WHERE id = 1")
    session.execute(session.prepare('UPDATE scalars SET c_int = ?, c_blob = ? WHERE id = ?'), [7, None, 1])
    row = session.execute('SELECT c_text, c_int, c_blob FROM scalars WHERE id = 1').one()
    assert tuple(row) == ('changed', 7, None), row
    session.execute('DELETE c_text FROM scalars WHERE id = %s', [1])
    assert session.execute('SELECT c_text FROM scalars WHERE id = 1').one().c_text is None
    session.execute(session.prepare('DELETE FROM scalars WHERE id = ?'), [1])
    assert session.execute('SELECT id FROM scalars WHERE id = 1').one() is None


@scenario('batch')
def _():
    session.execute('CREATE TABLE events (p text, c int, s text static, v text, PRIMARY KEY (p, c))')
    insert = session.prepare('INSERT INTO events (p, c, v) VALUES (?, ?, ?)')
    batch = BatchStatement()
    for i in range(10):
        batch.add(insert, ['a', i, f'v{i}'])
    session.execute(batch)
    batch = BatchStatement(batch_type=BatchType.UNLOGGED)
    batch.add(SimpleStatement("INSERT INTO events (p, s) VALUES ('a', 'static')"))
    batch.add(SimpleStatement("UPDATE events SET v = %s WHERE p = 'a' AND c = 0"), ['x'])
    batch.add(session.prepare('DELETE FROM events WHERE p = ? AND c = ?'), ['a', 9])
    session.execute(batch)
    rows = session.execute("SELECT c, s, v FROM events WHERE p = 'a'").all()
    assert [r.c for r in rows] == list(range(9)), rows
    assert rows[0].v == 'x' and rows[0].s == 'static', rows[0]


@scenario('paging')
def _():
    insert = session.prepare("INSERT INTO events (p, c, v) VALUES ('page', ?, 'v')")
    for i in range(95):
        session.execute(insert, [i])
    select = session.prepare('SELECT c FROM events WHERE p = ?')
    select.fetch_size = 10
    result = session.execute(select, ['page'])
    assert result.has_more_pages and len(result.current_rows) == 10
    assert [r.c for r in result] == list(range(95))


@scenario('named binds')
def _():
    session.execute(session.prepare('INSERT INTO events (p, c, v) VALUES (:p, :c, :v)'), {'v': 'named', 'c': 1, 'p': 'n'})
    assert session.execute('SELECT v FROM events WHERE p = %(p)s AND c = %(c)s', {'p': 'n', 'c': 1}).one().v == 'named'


@scenario('slices and order')
def _():
    rows = session.execute(session.prepare("SELECT c FROM events WHERE p = 'page' AND c > ? AND c <= ? ORDER BY c DESC LIMIT 3"), [10, 20])
    assert [r.c for r in rows] == [20, 19, 18]
    rows = session.execute(session.prepare('SELECT p, c FROM events WHERE p IN ? AND c = 1'), [['page', 'a', 'n']])
    assert [r.p for r in rows] == ['a', 'n', 'page']


@scenario('frozen collections and UDT')
def _():
    session.execute('CREATE TYPE address (street text, zip int, tags frozen<set<text>>)')
    session.execute('CREATE TABLE frozen (id int PRIMARY KEY, l frozen<list<int>>, s frozen<set<text>>, m frozen<map<text, bigint>>, t frozen<tuple<int, text>>, a frozen<address>, n vector<float, 3>)')
    session.execute("INSERT INTO frozen (id, l, s, m, t, a, n) VALUES (1, [1, 2], {'b', 'a'}, {'k': 5}, (1, 'x'), {street: 'Main', zip: 12, tags: {'t'}}, [1, 2, 3])")
    insert = session.prepare('INSERT INTO frozen (id, l, s, m, t, a, n) VALUES (?, ?, ?, ?, ?, ?, ?)')
    session.execute(insert, [2, [1, 2], {'b', 'a'}, {'k': 5}, (1, 'x'), ('Main', 12, {'t'}), [1.0, 2.0, 3.0]])
    for i in (1, 2):
        row = session.execute('SELECT * FROM frozen WHERE id = %s', [i]).one()
        assert row.l == [1, 2] and list(row.s) == ['a', 'b'] and dict(row.m) == {'k': 5} and row.t == (1, 'x'), row
        assert (row.a.street, row.a.zip, list(row.a.tags)) == ('Main', 12, ['t']), row.a
        assert list(row.n) == [1.0, 2.0, 3.0], row.n


@scenario('collections and UDT by element')
def _():
    session.execute('CREATE TABLE several (id int PRIMARY KEY, l list<int>, s set<text>, m map<text, bigint>, a address)')
    insert = session.prepare('INSERT INTO several (id, l, s, m, a) VALUES (?, ?, ?, ?, ?)')
    session.execute(insert, [1, [1, 2], {'b', 'a'}, {'k': 5}, ('Main', 12, {'t'})])
    update = session.prepare("UPDATE several SET l = l + ?, s = s - ?, m[?] = ?, a.zip = ? WHERE id = ? IF m['k'] = 5 AND l[1] = 2")
    assert session.execute(update, [[3], {'b', 'x'}, 'a', 7, 13, 1]).was_applied
    session.execute("DELETE l[0], m['k'] FROM several WHERE id = 1")
    row = session.execute('SELECT * FROM several WHERE id = 1').one()
    assert row.l == [2, 3] and list(row.s) == ['a'] and dict(row.m) == {'a': 7}, row
    assert (row.a.street, row.a.zip, list(row.a.tags)) == ('Main', 13, ['t']), row.a


@scenario('schema metadata')
def _():
    cluster.refresh_schema_metadata()
    table = cluster.metadata.keyspaces[KS].tables['scalars']
    got = {c.name: c.cql_type for c in table.columns.values()}
    want = {c: ('text' if t == 'varchar' else t) for c, t, _, _ in SCALARS}
    want['id'] = 'int'
    assert got == want, got
    assert cluster.metadata.keyspaces[KS].user_types['address'].field_names == ['street', 'zip', 'tags']
    assert 'CREATE TABLE' in table.export_as_string()


@scenario('lightweight transaction')
def _():
    insert = session.prepare("INSERT INTO events (p, c, v) VALUES ('lwt', 1, ?) IF NOT EXISTS")
    assert session.execute(insert, ['one']).was_applied
    again = session.execute(insert, ['two'])
    assert not again.was_applied and again.one().v == 'one'
    assert not session.execute("DELETE FROM events WHERE p = 'lwt' AND c = 2 IF EXISTS").was_applied


@scenario('TTL and write time')
def _():
    session.execute("INSERT INTO events (p, c, v) VALUES ('ttl', 1, 'x') USING TTL 1000 AND TIMESTAMP 1234567")
    row = session.execute("SELECT ttl(v) AS t, writetime(v) AS w FROM events WHERE p = 'ttl' AND c = 1").one()
    assert 900 < row.t <= 1000 and row.w == 1234567, row


@scenario('tracing')
def _():
    result = session.execute("SELECT v FROM events WHERE p = 'a' AND c = 0", trace=True)
    assert result.one().v == 'x'
    trace = result.get_query_trace(max_wait_sec=20)
    assert trace is not None and len(trace.events) > 0


@scenario('error codes')
def _():
    raises(SyntaxException, 'SELEC 1')
    raises(InvalidRequest, 'SELECT nope FROM events')
    raises(InvalidRequest, 'SELECT * FROM nope')
    raises(AlreadyExists, 'CREATE TABLE events (a int PRIMARY KEY)')
    raises(InvalidRequest, "INSERT INTO events (p, c) VALUES ('a', 'text')")


@scenario('drop keyspace')
def _():
    session.execute(f'DROP KEYSPACE {KS}', timeout=60)
    raises(InvalidRequest, f'SELECT * FROM {KS}.events')


cluster.shutdown()
sys.exit(1 if failed else 0)
