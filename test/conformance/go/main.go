// The scenario list of test/conformance/README.md with gocql v2. Argument: host:port.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"gopkg.in/inf.v0"
)

const ks = "conf_go"

var (
	session *gocql.Session
	failed  int
)

type scalar struct {
	kind    string
	literal string
	value   any
}

// The scenarios of a short run: that a way in works, values of all types and prepared statements.
var short = []string{"connect", "create keyspace", "create table of all scalar types", "insert literals", "insert prepared", "drop keyspace"}

func scenario(name string, body func() error) {
	wanted := os.Getenv("CQLOCK_TEST_SCENARIOS")
	if wanted == "short" && !slices.Contains(short, name) || wanted == "connect" && name != "connect" {
		return
	}
	if err := body(); err != nil {
		failed++
		fmt.Printf("scenario FAILED %s: %v\n", name, err)
		return
	}
	fmt.Printf("scenario ok %s\n", name)
}

// TLS and password, as the variables say.
func identify(cluster *gocql.ClusterConfig) {
	if ca := os.Getenv("CQLOCK_TEST_TLS_CA"); ca != "" {
		cluster.SslOpts = &gocql.SslOptions{
			CaPath:                 ca,
			CertPath:               os.Getenv("CQLOCK_TEST_TLS_CERT"),
			KeyPath:                os.Getenv("CQLOCK_TEST_TLS_KEY"),
			EnableHostVerification: true,
		}
	}
	if user := os.Getenv("CQLOCK_TEST_USER"); user != "" {
		cluster.Authenticator = gocql.PasswordAuthenticator{Username: user, Password: os.Getenv("CQLOCK_TEST_PASSWORD")}
	}
}

func exec(cql string, values ...any) error {
	if err := session.Query(cql, values...).Exec(); err != nil {
		return fmt.Errorf("%s: %w", cql, err)
	}
	return nil
}

func all(statements ...string) error {
	for _, cql := range statements {
		if err := exec(cql); err != nil {
			return err
		}
	}
	return nil
}

func same(want, got any, what string) error {
	if !equal(want, got) {
		return fmt.Errorf("%s: wanted %v, got %v (%T)", what, want, got, got)
	}
	return nil
}

// A listed difference: equal clustering decimals come back with one scale, whatever was written.
func equalClustering(want, got any) bool {
	if w, ok := want.(*inf.Dec); ok {
		g, ok := got.(*inf.Dec)
		return ok && w.Cmp(g) == 0
	}
	return equal(want, got)
}

func equal(want, got any) bool {
	switch w := want.(type) {
	case []byte:
		g, ok := got.([]byte)
		return ok && bytes.Equal(w, g)
	case *inf.Dec:
		g, ok := got.(*inf.Dec)
		return ok && w.Cmp(g) == 0 && w.Scale() == g.Scale()
	case *big.Int:
		g, ok := got.(*big.Int)
		return ok && w.Cmp(g) == 0
	case time.Time:
		g, ok := got.(time.Time)
		return ok && w.Equal(g)
	case net.IP:
		switch g := got.(type) {
		case net.IP:
			return w.Equal(g)
		case string:
			return w.String() == g
		}
		return false
	}
	return reflect.DeepEqual(want, got)
}

func code(cql string, want int) error {
	err := session.Query(cql).Exec()
	var request gocql.RequestError
	if !errors.As(err, &request) {
		return fmt.Errorf("%s: error %v", cql, err)
	}
	return same(want, request.Code(), cql)
}

func uuid(text string) gocql.UUID {
	id, err := gocql.ParseUUID(text)
	if err != nil {
		panic(err)
	}
	return id
}

func checkRow(row map[string]any, scalars []scalar) error {
	for _, s := range scalars {
		if err := same(s.value, row["c_"+s.kind], s.kind); err != nil {
			return err
		}
	}
	return nil
}

func ints(iter *gocql.Iter) ([]int, error) {
	var out []int
	var c int
	for iter.Scan(&c) {
		out = append(out, c)
	}
	return out, iter.Close()
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func main() {
	host, portText, err := net.SplitHostPort(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	port, _ := strconv.Atoi(portText)
	decimal, _ := new(inf.Dec).SetString("-12.3400")
	varint, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	timestamp, _ := time.Parse(time.RFC3339Nano, "2024-05-06T07:08:09.010Z")
	date, _ := time.Parse(time.DateOnly, "2024-02-29")
	scalars := []scalar{
		{"ascii", "'abc'", "abc"},
		{"bigint", "-9223372036854775808", int64(math.MinInt64)},
		{"blob", "0x00ff10", []byte{0, 0xff, 0x10}},
		{"boolean", "true", true},
		{"date", "'2024-02-29'", date},
		{"decimal", "-12.3400", decimal},
		{"double", "1.5e300", 1.5e300},
		{"duration", "1mo2d3ns", gocql.Duration{Months: 1, Days: 2, Nanoseconds: 3}},
		{"float", "-0.5", float32(-0.5)},
		{"inet", "'2001:db8::1'", net.ParseIP("2001:db8::1")},
		{"int", "-42", -42},
		{"smallint", "-32768", int16(math.MinInt16)},
		{"text", "'über 日本'", "über 日本"},
		{"time", "'08:12:54.123456789'", 8*time.Hour + 12*time.Minute + 54*time.Second + 123456789},
		{"timestamp", "'2024-05-06T07:08:09.010Z'", timestamp},
		{"timeuuid", "e23f1e02-8afa-11ee-b9d1-0242ac120002", uuid("e23f1e02-8afa-11ee-b9d1-0242ac120002")},
		{"tinyint", "-128", int8(math.MinInt8)},
		{"uuid", "123e4567-e89b-42d3-a456-426614174000", uuid("123e4567-e89b-42d3-a456-426614174000")},
		{"varchar", "'it''s'", "it's"},
		{"varint", "123456789012345678901234567890", varint},
	}
	var names, marks, literals, definitions []string
	var values []any
	for _, s := range scalars {
		names = append(names, "c_"+s.kind)
		marks = append(marks, "?")
		literals = append(literals, s.literal)
		definitions = append(definitions, "c_"+s.kind+" "+s.kind)
		values = append(values, s.value)
	}

	scenario("connect", func() (err error) {
		cluster := gocql.NewCluster(host)
		cluster.Port = port
		cluster.Timeout = 60 * time.Second // DROP of many tables flushes each
		identify(cluster)
		session, err = cluster.CreateSession()
		return err
	})
	if session == nil {
		os.Exit(1)
	}
	scenario("create keyspace", func() error {
		return all("DROP KEYSPACE IF EXISTS "+ks, "CREATE KEYSPACE "+ks+" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	})
	scenario("create table of all scalar types", func() error {
		return exec("CREATE TABLE " + ks + ".scalars (id int PRIMARY KEY, " + strings.Join(definitions, ", ") + ")")
	})
	scenario("insert literals", func() error {
		if err := exec("INSERT INTO " + ks + ".scalars (id, " + strings.Join(names, ", ") + ") VALUES (1, " + strings.Join(literals, ", ") + ")"); err != nil {
			return err
		}
		row := map[string]any{}
		if err := session.Query("SELECT * FROM " + ks + ".scalars WHERE id = 1").MapScan(row); err != nil {
			return err
		}
		return checkRow(row, scalars)
	})
	scenario("insert prepared", func() error {
		if err := exec("INSERT INTO "+ks+".scalars (id, "+strings.Join(names, ", ")+") VALUES (?, "+strings.Join(marks, ", ")+")", append([]any{2}, values...)...); err != nil {
			return err
		}
		row := map[string]any{}
		if err := session.Query("SELECT * FROM "+ks+".scalars WHERE id = ?", 2).MapScan(row); err != nil {
			return err
		}
		return checkRow(row, scalars)
	})
	scenario("every scalar as key", func() error {
		for _, s := range scalars {
			if s.kind == "duration" {
				continue
			}
			table := ks + ".k_" + s.kind
			if err := all("CREATE TABLE "+table+" (p "+s.kind+", c "+s.kind+", v int, PRIMARY KEY (p, c)) WITH CLUSTERING ORDER BY (c DESC)",
				"INSERT INTO "+table+" (p, c, v) VALUES ("+s.literal+", "+s.literal+", 1)"); err != nil {
				return err
			}
			if err := exec("INSERT INTO "+table+" (p, c, v) VALUES (?, ?, ?)", s.value, s.value, 2); err != nil {
				return err
			}
			rows, err := session.Query("SELECT p, c, v FROM "+table+" WHERE p = ? AND c >= ?", s.value, s.value).Iter().SliceMap()
			if err != nil {
				return err
			}
			if len(rows) != 1 || rows[0]["v"] != 2 || !equal(s.value, rows[0]["p"]) || !equalClustering(s.value, rows[0]["c"]) {
				return fmt.Errorf("%s: %v", s.kind, rows)
			}
		}
		return nil
	})
	scenario("update and delete", func() error {
		if err := exec("UPDATE " + ks + ".scalars SET c_text = 'changed' WHERE id = 1"); err != nil {
			return err
		}
		if err := exec("UPDATE "+ks+".scalars SET c_int = ?, c_blob = ? WHERE id = ?", 7, nil, 1); err != nil {
			return err
		}
		var text *string
		var number *int
		var blob []byte
		if err := session.Query("SELECT c_text, c_int, c_blob FROM "+ks+".scalars WHERE id = 1").Scan(&text, &number, &blob); err != nil {
			return err
		}
		if *text != "changed" || *number != 7 || blob != nil {
			return fmt.Errorf("%v %v %v", *text, *number, blob)
		}
		if err := exec("DELETE c_text FROM " + ks + ".scalars WHERE id = 1"); err != nil {
			return err
		}
		if err := session.Query("SELECT c_text FROM " + ks + ".scalars WHERE id = 1").Scan(&text); err != nil || text != nil {
			return fmt.Errorf("%v %v", text, err)
		}
		if err := exec("DELETE FROM "+ks+".scalars WHERE id = ?", 1); err != nil {
			return err
		}
		return same(gocql.ErrNotFound, session.Query("SELECT c_text FROM "+ks+".scalars WHERE id = 1").Scan(&text), "row")
	})
	scenario("batch", func() error {
		if err := exec("CREATE TABLE " + ks + ".events (p text, c int, s text static, v text, PRIMARY KEY (p, c))"); err != nil {
			return err
		}
		batch := session.Batch(gocql.LoggedBatch)
		for i := 0; i < 10; i++ {
			batch.Query("INSERT INTO "+ks+".events (p, c, v) VALUES (?, ?, ?)", "a", i, fmt.Sprintf("v%d", i))
		}
		if err := batch.Exec(); err != nil {
			return err
		}
		batch = session.Batch(gocql.UnloggedBatch)
		batch.Query("INSERT INTO " + ks + ".events (p, s) VALUES ('a', 'static')")
		batch.Query("UPDATE "+ks+".events SET v = ? WHERE p = 'a' AND c = 0", "x")
		batch.Query("DELETE FROM " + ks + ".events WHERE p = 'a' AND c = 9")
		if err := batch.Exec(); err != nil {
			return err
		}
		got, err := ints(session.Query("SELECT c FROM " + ks + ".events WHERE p = 'a'").Iter())
		if err != nil {
			return err
		}
		var v, s string
		if err := session.Query("SELECT v, s FROM "+ks+".events WHERE p = 'a' AND c = 0").Scan(&v, &s); err != nil || v != "x" || s != "static" {
			return fmt.Errorf("%q %q %v", v, s, err)
		}
		return same(upTo(9), got, "rows")
	})
	scenario("paging", func() error {
		for i := 0; i < 95; i++ {
			if err := exec("INSERT INTO "+ks+".events (p, c, v) VALUES ('page', ?, 'v')", i); err != nil {
				return err
			}
		}
		iter := session.Query("SELECT c FROM "+ks+".events WHERE p = ?", "page").PageSize(10).Iter()
		if iter.NumRows() != 10 {
			return fmt.Errorf("first page of %d", iter.NumRows())
		}
		got, err := ints(iter)
		if err != nil {
			return err
		}
		return same(upTo(95), got, "rows")
	})
	scenario("named binds", func() error {
		if err := exec("INSERT INTO "+ks+".events (p, c, v) VALUES (:p, :c, :v)", "n", 1, "named"); err != nil {
			return err
		}
		var v string
		if err := session.Query("SELECT v FROM "+ks+".events WHERE p = :p AND c = :c", "n", 1).Scan(&v); err != nil {
			return err
		}
		return same("named", v, "v")
	})
	scenario("slices and order", func() error {
		got, err := ints(session.Query("SELECT c FROM "+ks+".events WHERE p = 'page' AND c > ? AND c <= ? ORDER BY c DESC LIMIT 3", 10, 20).Iter())
		if err != nil {
			return err
		}
		if err := same([]int{20, 19, 18}, got, "slice"); err != nil {
			return err
		}
		rows, err := session.Query("SELECT p FROM "+ks+".events WHERE p IN ? AND c = 1", []string{"page", "a", "n"}).Iter().SliceMap()
		if err != nil {
			return err
		}
		if len(rows) != 3 || rows[0]["p"] != "a" || rows[1]["p"] != "n" || rows[2]["p"] != "page" {
			return fmt.Errorf("%v", rows)
		}
		return nil
	})
	scenario("frozen collections and UDT", func() error {
		type address struct {
			Street string   `cql:"street"`
			Zip    int      `cql:"zip"`
			Tags   []string `cql:"tags"`
		}
		if err := all("CREATE TYPE "+ks+".address (street text, zip int, tags frozen<set<text>>)",
			"CREATE TABLE "+ks+".frozen (id int PRIMARY KEY, l frozen<list<int>>, s frozen<set<text>>, m frozen<map<text, bigint>>, a frozen<address>, n vector<float, 3>)",
			"INSERT INTO "+ks+".frozen (id, l, s, m, a, n) VALUES (1, [1, 2], {'b', 'a'}, {'k': 5}, {street: 'Main', zip: 12, tags: {'t'}}, [1, 2, 3])"); err != nil {
			return err
		}
		if err := exec("INSERT INTO "+ks+".frozen (id, l, s, m, a, n) VALUES (?, ?, ?, ?, ?, ?)", 2, []int{1, 2}, []string{"b", "a"}, map[string]int64{"k": 5}, address{"Main", 12, []string{"t"}}, []float32{1, 2, 3}); err != nil {
			return err
		}
		for _, id := range []int{1, 2} {
			var l []int
			var s []string
			var m map[string]int64
			var a address
			var n []float32
			if err := session.Query("SELECT l, s, m, a, n FROM "+ks+".frozen WHERE id = ?", id).Scan(&l, &s, &m, &a, &n); err != nil {
				return err
			}
			if !reflect.DeepEqual([]any{l, s, m, a, n}, []any{[]int{1, 2}, []string{"a", "b"}, map[string]int64{"k": 5}, address{"Main", 12, []string{"t"}}, []float32{1, 2, 3}}) {
				return fmt.Errorf("%v %v %v %v %v", l, s, m, a, n)
			}
		}
		return nil
	})
	scenario("schema metadata", func() error {
		// gocql refreshes its metadata on schema events, with a delay.
		meta, err := session.KeyspaceMetadata(ks)
		for tries := 0; tries < 40 && (err != nil || meta.Tables["scalars"] == nil); tries++ {
			time.Sleep(250 * time.Millisecond)
			meta, err = session.KeyspaceMetadata(ks)
		}
		if err != nil {
			return err
		}
		table := meta.Tables["scalars"]
		if table == nil || len(table.Columns) != len(scalars)+1 {
			return fmt.Errorf("columns of %v", table)
		}
		if err := same(gocql.TypeDecimal, table.Columns["c_decimal"].Type.Type(), "decimal"); err != nil {
			return err
		}
		return same(gocql.TypeTimeUUID, table.Columns["c_timeuuid"].Type.Type(), "timeuuid")
	})
	scenario("lightweight transaction", func() error {
		insert := "INSERT INTO " + ks + ".events (p, c, v) VALUES ('lwt', 1, ?) IF NOT EXISTS"
		row := map[string]any{}
		applied, err := session.Query(insert, "one").MapScanCAS(row)
		if err != nil || !applied {
			return fmt.Errorf("first: %v %v", applied, err)
		}
		row = map[string]any{}
		applied, err = session.Query(insert, "two").MapScanCAS(row)
		if err != nil || applied || row["v"] != "one" {
			return fmt.Errorf("second: %v %v %v", applied, row, err)
		}
		applied, err = session.Query("DELETE FROM " + ks + ".events WHERE p = 'lwt' AND c = 2 IF EXISTS").MapScanCAS(map[string]any{})
		if err != nil || applied {
			return fmt.Errorf("delete: %v %v", applied, err)
		}
		return nil
	})
	scenario("TTL and write time", func() error {
		if err := exec("INSERT INTO " + ks + ".events (p, c, v) VALUES ('ttl', 1, 'x') USING TTL 1000 AND TIMESTAMP 1234567"); err != nil {
			return err
		}
		var ttl int
		var at int64
		if err := session.Query("SELECT ttl(v), writetime(v) FROM "+ks+".events WHERE p = 'ttl' AND c = 1").Scan(&ttl, &at); err != nil {
			return err
		}
		if ttl <= 900 || ttl > 1000 || at != 1234567 {
			return fmt.Errorf("ttl %d, writetime %d", ttl, at)
		}
		return nil
	})
	scenario("tracing", func() error {
		var out bytes.Buffer
		var v string
		if err := session.Query("SELECT v FROM " + ks + ".events WHERE p = 'a' AND c = 0").Trace(gocql.NewTraceWriter(session, &out)).Scan(&v); err != nil {
			return err
		}
		if out.Len() == 0 {
			return errors.New("an empty trace")
		}
		return same("x", v, "v")
	})
	scenario("error codes", func() error {
		for cql, want := range map[string]int{
			"SELEC 1":                                                   gocql.ErrCodeSyntax,
			"SELECT nope FROM " + ks + ".events":                        gocql.ErrCodeInvalid,
			"SELECT * FROM " + ks + ".nope":                             gocql.ErrCodeInvalid,
			"CREATE TABLE " + ks + ".events (a int PRIMARY KEY)":        gocql.ErrCodeAlreadyExists,
			"INSERT INTO " + ks + ".events (p, c) VALUES ('a', 'text')": gocql.ErrCodeInvalid,
		} {
			if err := code(cql, want); err != nil {
				return err
			}
		}
		return nil
	})
	scenario("drop keyspace", func() error {
		if err := exec("DROP KEYSPACE " + ks); err != nil {
			return err
		}
		return code("SELECT * FROM "+ks+".events", gocql.ErrCodeInvalid)
	})
	session.Close()
	if failed > 0 {
		os.Exit(1)
	}
}
