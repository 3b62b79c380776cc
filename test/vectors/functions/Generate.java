// Writes test vectors from Cassandra's own functions, one JSON array a line inside an array.
//
// How to run (JDK 17; JARS is a folder with org.apache.cassandra:cassandra-all:5.0.6 and its dependencies, for example
// from `mvn dependency:copy-dependencies`):
//
//   javac -cp "$JARS/*" -d /tmp/generate Generate.java
//   java -Duser.timezone=UTC -cp "/tmp/generate:$JARS/*" Generate cassandra_5_0_6.json
//
// Lines: ["call", name, [types], result type, [arguments], result or error]   every native scalar function on edge values
//        ["aggregate", name, type, result type, [values], result or error]
//        ["read", type, text, value or error]                                 from_json
//        ["term", type of the receiver, text, value or error]                 overloads: what a value position makes of a text
// Values are hex, null is null; an error is { "error": class, "message": text }.

import java.nio.ByteBuffer;
import java.util.*;

import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.*;
import org.apache.cassandra.cql3.functions.*;
import org.apache.cassandra.cql3.functions.Arguments;
import org.apache.cassandra.db.marshal.*;
import org.apache.cassandra.schema.*;
import org.apache.cassandra.transport.ProtocolVersion;
import org.apache.cassandra.utils.ByteBufferUtil;

public class Generate
{
    static final Map<String, String[]> EDGES = new LinkedHashMap<>();
    static Types udts;
    static java.io.PrintStream out;
    static int lines = 0;

    static void edges(String type, String... literals)
    {
        EDGES.put(type, literals);
    }

    static
    {
        edges("tinyint", "0", "1", "-1", "7", "127", "-128", "50");
        edges("smallint", "0", "1", "-1", "7", "32767", "-32768", "300");
        edges("int", "0", "1", "-1", "7", "2147483647", "-2147483648", "100000");
        edges("bigint", "0", "1", "-1", "7", "9223372036854775807", "-9223372036854775808", "9007199254740993");
        edges("counter", "0", "1", "-5", "9223372036854775807");
        edges("varint", "0", "1", "-1", "7", "123456789012345678901234567890", "-9223372036854775809", "1000");
        edges("float", "0.0", "-0.0", "1.5", "-2.5", "NaN", "Infinity", "-Infinity", "3.4028235E38", "1.4E-45", "0.1", "16777216");
        edges("double", "0.0", "-0.0", "1.5", "-2.5", "NaN", "Infinity", "-Infinity", "1.7976931348623157E308", "4.9E-324", "0.1", "1.0E23", "100");
        edges("decimal", "0", "0.00", "1", "-1.10", "0.1", "12345678901234567890.123456789012345678901234567890", "1E+30", "1E-30", "3", "1000", "-7.5");
        edges("text", "", "a", "\u00e9\u4e2d\ud83d\ude00x", "quote\" back\\ \n\u0001", "hello world");
        edges("ascii", "", "abc", "a'b\"c");
        edges("blob", "", "00", "cafe0102");
        edges("boolean", "true", "false");
        edges("date", "1970-01-01", "2024-02-29", "1500-03-01", "-5877641-06-23", "+5881580-07-11", "0000-12-31", "1969-12-31");
        edges("time", "00:00:00", "23:59:59.999999999", "12:34:56.7");
        edges("timestamp", "0", "-1", "1709210096123", "9223372036854775807", "-9223372036854775808", "-62167219200001", "-14831769600000");
        edges("timeuuid", "50554d6e-29bb-11e5-b345-feff819cdc9f", "00000000-0000-1000-8080-808080808080");
        edges("uuid", "00000000-0000-0000-0000-000000000000", "123e4567-e89b-42d3-a456-426614174000");
        edges("inet", "127.0.0.1", "::1", "2001:db8::ff00:42:8329");
        edges("duration", "1y2mo3d4h5m6s7ms8us9ns", "-3d", "1mo", "0s", "1ns", "2d", "1h30m", "-1y1d");
    }

    static final String[] COLLECTIONS = {
        "list<int>|[]", "list<int>|[1,2,3]", "list<int>|[2147483647,1]", "set<bigint>|{5,-5,9223372036854775807}", "list<double>|[1.5,-2.5,1e308,1e308]",
        "list<decimal>|[1.1,2.22,-3]", "set<varint>|{1,2,100000000000000000000}", "list<tinyint>|[127,1,-3]", "list<smallint>|[32767,5]",
        "list<float>|[0.1,0.2,0.3]", "set<text>|{'b','a','\u00e9'}", "map<text,int>|{'a':1,'b':-2}", "map<int,text>|{3:'x',-1:'y'}",
        "map<decimal,boolean>|{1.10:true}", "map<timestamp,uuid>|{0:123e4567-e89b-42d3-a456-426614174000}", "list<frozen<set<int>>>|[{1},{2,3}]",
        "tuple<int,text,decimal>|(1,'x',1.10)", "tuple<int,text,decimal>|(1,null,null)", "address|{street:'s\"t',number:null}", "address|{street:'s',number:5,\"Tags\":{1.0,2.50}}",
        "vector<float,3>|[1,2,3]", "vector<float,3>|[0,0,0]", "vector<float,3>|[-1.5,1e10,0.25]", "vector<text,2>|['a','b']", "set<blob>|{0xff,0x}", "map<frozen<list<int>>,inet>|{[1]:'::1'}",
        "map<boolean,duration>|{true:1d}",
    };

    public static void main(String[] args) throws Exception
    {
        DatabaseDescriptor.clientInitialization();
        AbstractType<?> tags = CQLTypeParser.parse("ks", "frozen<set<decimal>>", Types.none());
        udts = Types.of(new UserType("ks", ByteBufferUtil.bytes("address"),
                                     Arrays.asList(FieldIdentifier.forUnquoted("street"), FieldIdentifier.forUnquoted("number"),
                                                   FieldIdentifier.forQuoted("Tags")),
                                     Arrays.asList(UTF8Type.instance, Int32Type.instance, tags), true));
        // Type hints look their keyspace up.
        Schema.instance.transform(SchemaTransformations.addKeyspace(KeyspaceMetadata.create("ks", KeyspaceParams.local()), true), true);
        out = new java.io.PrintStream(args[0], "US-ASCII");
        out.print("[");
        scalars();
        factories();
        aggregates();
        json();
        terms();
        out.println("\n]");
        out.close();
        System.exit(0);
    }

    static AbstractType<?> type(String name)
    {
        return CQLTypeParser.parse("ks", name, udts);
    }

    static ByteBuffer literal(AbstractType<?> type, String text)
    {
        if (type instanceof CounterColumnType) return LongType.instance.fromString(text);
        return type.fromString(text);
    }

    /** Edge values of a native type, null and, where it is allowed, the empty value. */
    static List<ByteBuffer> values(AbstractType<?> type)
    {
        List<ByteBuffer> values = new ArrayList<>();
        values.add(null);
        String name = type.asCQL3Type().toString();
        for (String text : EDGES.get(name.equals("varchar") ? "text" : name))
            values.add(literal(type, text));
        if (!name.equals("counter") && !name.equals("duration") && type.allowsEmpty())
            values.add(ByteBufferUtil.EMPTY_BYTE_BUFFER);
        return values;
    }

    static void scalars() throws Exception
    {
        List<NativeFunction> all = new ArrayList<>(NativeFunctions.instance.getFunctions());
        all.sort(Comparator.comparing((NativeFunction f) -> f.name().name).thenComparing(f -> f.argTypes().toString()));
        for (NativeFunction function : all)
        {
            String name = function.name().name;
            boolean isBlob = name.contains("blob");
            if (function.isAggregate() || function.argTypes().isEmpty() || name.equals("token") || name.startsWith("blobas") || name.endsWith("asblob") || name.startsWith("castAs"))
                continue;
            if (name.contains("empty")) continue;
            List<List<ByteBuffer>> edges = new ArrayList<>();
            for (AbstractType<?> type : function.argTypes()) edges.add(values(type));
            int i = 0;
            for (ByteBuffer[] arguments : product(edges))
                // Of the many pairs of two values a part.
                if (arguments.length == 1 || i++ % (function.argTypes().get(0).equals(function.argTypes().get(1)) ? 3 : 29) == 0)
                    call((ScalarFunction) function, arguments);
        }
    }

    static List<ByteBuffer[]> product(List<List<ByteBuffer>> edges)
    {
        List<ByteBuffer[]> all = new ArrayList<>();
        if (edges.size() == 1) for (ByteBuffer a : edges.get(0)) all.add(new ByteBuffer[]{ a });
        if (edges.size() == 2) for (ByteBuffer a : edges.get(0)) for (ByteBuffer b : edges.get(1)) all.add(new ByteBuffer[]{ a, b });
        if (edges.size() == 3) for (ByteBuffer a : edges.get(0)) for (ByteBuffer b : edges.get(1)) for (ByteBuffer c : edges.get(2)) all.add(new ByteBuffer[]{ a, b, c });
        return all;
    }

    static void call(ScalarFunction function, ByteBuffer... arguments)
    {
        String result;
        try
        {
            Arguments set = function.newArguments(ProtocolVersion.CURRENT);
            for (int i = 0; i < arguments.length; i++)
                set.set(i, arguments[i] == null ? null : arguments[i].duplicate());
            result = hex(function.execute(set));
        }
        catch (Throwable e)
        {
            result = error(e);
        }
        StringJoiner types = new StringJoiner(",", "[", "]"), values = new StringJoiner(",", "[", "]");
        for (AbstractType<?> type : function.argTypes()) types.add(quote(type.asCQL3Type().toString()));
        for (ByteBuffer argument : arguments) values.add(hex(argument));
        line("call", quote(function.name().name), types.toString(), quote(function.returnType().asCQL3Type().toString()), values.toString(), result);
    }

    /** An argument of a fixed type, as a column is. */
    static class Column implements AssignmentTestable
    {
        final AbstractType<?> type;
        Column(AbstractType<?> type) { this.type = type; }
        public TestResult testAssignment(String keyspace, ColumnSpecification receiver) { return type.testAssignment(receiver.type); }
        public AbstractType<?> getCompatibleTypeIfKnown(String keyspace) { return type; }
        public String toString() { return "c"; }
    }

    static Function made(String name, AbstractType<?>... types)
    {
        List<AssignmentTestable> columns = new ArrayList<>();
        for (AbstractType<?> type : types) columns.add(new Column(type));
        for (FunctionFactory factory : NativeFunctions.instance.getFactories(FunctionName.nativeFunction(name)))
            return factory.getOrCreateFunction(columns, null, "ks", "t");
        throw new IllegalArgumentException(name);
    }

    static void tryCall(String name, AbstractType<?>[] types, ByteBuffer... arguments)
    {
        try
        {
            call((ScalarFunction) made(name, types), arguments);
        }
        catch (org.apache.cassandra.exceptions.InvalidRequestException | ClassCastException e)
        {
            // The function does not take the type.
        }
    }

    static ByteBuffer parsed(AbstractType<?> type, String text) throws Exception
    {
        ColumnSpecification receiver = new ColumnSpecification("ks", "t", new ColumnIdentifier("c", true), type);
        Term.Raw raw = CQLFragmentParser.parseAnyUnhandled(CqlParser::term, text);
        return raw.prepare("ks", receiver).bindAndGet(QueryOptions.DEFAULT);
    }

    static List<Object[]> collections() throws Exception
    {
        List<Object[]> all = new ArrayList<>();
        for (String entry : COLLECTIONS)
        {
            int bar = entry.indexOf('|');
            AbstractType<?> type = type(entry.substring(0, bar)).freeze();
            all.add(new Object[]{ type, parsed(type, entry.substring(bar + 1)) });
        }
        return all;
    }

    static void factories() throws Exception
    {
        String[] unary = { "map_keys", "map_values", "collection_count", "collection_min", "collection_max", "collection_sum", "collection_avg",
                           "mask_null", "mask_default", "mask_hash", "to_json" };
        for (Object[] pair : collections())
        {
            AbstractType<?> type = (AbstractType<?>) pair[0];
            for (String name : unary)
            {
                tryCall(name, new AbstractType<?>[]{ type }, (ByteBuffer) pair[1]);
                tryCall(name, new AbstractType<?>[]{ type }, (ByteBuffer) null);
            }
        }
        for (String name : EDGES.keySet())
        {
            AbstractType<?> type = type(name);
            for (ByteBuffer value : values(type))
                for (String function : new String[]{ "mask_null", "mask_default", "mask_hash", "to_json" })
                    tryCall(function, new AbstractType<?>[]{ type }, value);
        }
        AbstractType<?> text = UTF8Type.instance, integer = Int32Type.instance;
        for (String algorithm : new String[]{ "SHA-1", "sha-512", "MD5", "SHA3-256", "nope", "SHA-512/256" })
            tryCall("mask_hash", new AbstractType<?>[]{ text, text }, UTF8Type.instance.fromString("secret"), UTF8Type.instance.fromString(algorithm));
        for (String function : new String[]{ "mask_inner", "mask_outer" })
            for (AbstractType<?> string : new AbstractType<?>[]{ text, AsciiType.instance })
                for (ByteBuffer value : values(string))
                    for (int[] range : new int[][]{ { 0, 0 }, { 1, 1 }, { 2, 0 }, { 0, 3 }, { -1, 2 }, { 100, 1 } })
                    {
                        ByteBuffer begin = ByteBufferUtil.bytes(range[0]), end = ByteBufferUtil.bytes(range[1]);
                        tryCall(function, new AbstractType<?>[]{ string, integer, integer }, value, begin, end);
                        tryCall(function, new AbstractType<?>[]{ string, integer, integer, text }, value, begin, null, UTF8Type.instance.fromString("#"));
                        tryCall(function, new AbstractType<?>[]{ string, integer, integer, text }, value, begin, end, UTF8Type.instance.fromString("##"));
                    }
        AbstractType<?> v3 = type("vector<float,3>");
        Random random = new Random(5);
        for (String function : new String[]{ "similarity_cosine", "similarity_euclidean", "similarity_dot_product" })
        {
            for (String a : new String[]{ "[1,2,3]", "[0,0,0]", "[-1.5,1e10,0.25]", "[0.1,0.2,0.3]" })
                for (String b : new String[]{ "[1,2,3]", "[0,0,0]", "[3,-2,1]" })
                    tryCall(function, new AbstractType<?>[]{ v3, v3 }, parsed(v3, a), parsed(v3, b));
            for (int length : new int[]{ 1, 8, 11, 40 })
            {
                VectorType<Float> type = (VectorType<Float>) VectorType.getInstance(FloatType.instance, length);
                float[] a = new float[length], b = new float[length];
                for (int i = 0; i < length; i++) { a[i] = random.nextFloat() - 0.5f; b[i] = random.nextFloat(); }
                tryCall(function, new AbstractType<?>[]{ type, type }, type.decomposeAsFloat(a), type.decomposeAsFloat(b));
            }
        }
    }

    static void aggregates()
    {
        List<NativeFunction> all = new ArrayList<>(NativeFunctions.instance.getFunctions());
        all.sort(Comparator.comparing((NativeFunction f) -> f.name().name).thenComparing(f -> f.argTypes().toString()));
        for (NativeFunction function : all)
            if (function.isAggregate() && function.argTypes().size() == 1 && !function.name().name.equals("count"))
                aggregates((AggregateFunction) function);
        for (String name : EDGES.keySet())
            if (!name.equals("duration"))
                for (String extreme : new String[]{ "min", "max" })
                    aggregates((AggregateFunction) made(extreme, type(name)));
        for (NativeFunction function : NativeFunctions.instance.getFunctions(FunctionName.nativeFunction("count")))
            aggregates((AggregateFunction) function);
    }

    static void aggregates(AggregateFunction function)
    {
        List<ByteBuffer> values = values(function.argTypes().get(0));
        Random random = new Random(11);
        aggregate(function, Collections.emptyList());
        aggregate(function, Collections.singletonList(null));
        for (ByteBuffer value : values) aggregate(function, Collections.singletonList(value));
        for (int i = 0; i < 12; i++)
        {
            List<ByteBuffer> some = new ArrayList<>();
            for (int j = 2 + random.nextInt(5); j > 0; j--) some.add(values.get(random.nextInt(values.size())));
            aggregate(function, some);
        }
    }

    static void aggregate(AggregateFunction function, List<ByteBuffer> values)
    {
        String result;
        try
        {
            AggregateFunction.Aggregate aggregate = function.newAggregate();
            aggregate.reset();
            for (ByteBuffer value : values)
            {
                Arguments arguments = function.newArguments(ProtocolVersion.CURRENT);
                arguments.set(0, value == null ? null : value.duplicate());
                aggregate.addInput(arguments);
            }
            result = hex(aggregate.compute(ProtocolVersion.CURRENT));
        }
        catch (Throwable e)
        {
            result = error(e);
        }
        StringJoiner joined = new StringJoiner(",", "[", "]");
        for (ByteBuffer value : values) joined.add(hex(value));
        line("aggregate", quote(function.name().name), quote(function.argTypes().get(0).asCQL3Type().toString()), quote(function.returnType().asCQL3Type().toString()), joined.toString(), result);
    }

    static final String[] JSON_TEXTS = {
        "null", "true", "false", "0", "1", "-1", "127", "128", "-129", "40000", "2147483648", "9223372036854775808", "1.0", "1.10", "1e3", "1E400", "-0.0", "0.1", "12345678901234567890.123456789",
        "\"\"", "\"1\"", "\"-1\"", "\"+7\"", "\"1.10\"", "\"1e3\"", "\"NaN\"", "\"Infinity\"", "\"nan\"", "\" 1.5 \"", "\"1.5f\"", "\"true\"", "\"TRUE\"", "\"abc\"", "\"\\u00e9\\n\\\"\"", "\"0xcafe\"", "\"cafe\"", "\"0xc\"",
        "\"1970-01-01\"", "\"2024-02-29 12:34:56.789Z\"", "\"2024-02-29T12:34:56.789+0130\"", "\"12:34:56.7\"", "\"25:00:00\"", "\"50554d6e-29bb-11e5-b345-feff819cdc9f\"", "\"123e4567-e89b-42d3-a456-426614174000\"",
        "\"127.0.0.1\"", "\"::1\"", "\"1d2h\"", "\"P1Y\"", "[]", "[1,2,3]", "[3,1,2,1]", "[\"a\",\"b\"]", "[1,null]", "[[1],[2,3]]", "[1,\"x\",1.10]", "[1]", "[1,\"x\",1,2]", "[null,null,null]", "[1.5,2,3]",
        "{}", "{\"a\":1}", "{\"a\":1,\"b\":2,\"a\":3}", "{\"1\":\"x\",\"-1\":\"y\"}", "{\"a\":null}", "{\"true\":\"1d\"}", "{\"[1]\":\"::1\"}", "{\"street\":\"s\",\"number\":5,\"\\\"Tags\\\"\":[1.0,2.50]}", "{\"STREET\":\"s\"}", "{\"tags\":[]}", "{\"street\":null}", "{\"nope\":1}",
        "\"[1,2]\"", "\"{\\\"a\\\":1}\"", "\"[1\"", "[1", "{", "nul", "01", "1 x", "+1", "NaN", "", "  7  ", "'a'", "[1,]", "\"a",
    };

    static void json() throws Exception
    {
        List<AbstractType<?>> types = new ArrayList<>();
        for (String name : EDGES.keySet()) if (!name.equals("counter")) types.add(type(name));
        Set<String> seen = new HashSet<>();
        for (String entry : COLLECTIONS)
        {
            String name = entry.substring(0, entry.indexOf('|'));
            if (seen.add(name)) types.add(type(name).freeze());
        }
        for (AbstractType<?> type : types)
            for (String text : JSON_TEXTS)
            {
                String result;
                try
                {
                    FromJsonFct function = FromJsonFct.getInstance(FunctionName.nativeFunction("from_json"), type);
                    Arguments arguments = function.newArguments(ProtocolVersion.CURRENT);
                    arguments.set(0, UTF8Type.instance.fromString(text));
                    result = hex(function.execute(arguments));
                }
                catch (Throwable e)
                {
                    result = error(e);
                }
                line("read", quote(typeName(type)), quote(text), result);
            }
    }

    static String typeName(AbstractType<?> type)
    {
        return type.asCQL3Type().toString();
    }

    static final String[] TERMS = {
        "int|1 + 2", "int|2147483647 + 1", "bigint|2147483647 + 1", "double|1 + 1.5", "decimal|1 + 1.5", "decimal|1.1 * 3", "float|1.5 / 0", "int|1 / 0", "varint|7 % 0", "varint|7 / 2", "tinyint|100 + 100",
        "decimal|10 / 3", "decimal|1.10 / 0.3", "decimal|5 % 0.3", "int|-(3)", "int|- 3", "int|-(1 + 2) * 3", "decimal|-1.5", "int|(int) 3 + (int) 4", "bigint|(int) 3 + (bigint) 4", "int|(int) 3 + (bigint) 4", "double|(float) 0.1 + (double) 0.2",
        "int|1 + 'a'", "text|'a' + 'b'", "ascii|'a' + 'b'", "text|'\u00e9' + 'b'", "timestamp|'1970-01-31' + 1mo", "timestamp|0 + 1h", "timestamp|0 - 1mo", "date|'2024-01-31' + 1mo", "date|'1970-01-01' + 1h", "date|'1970-01-01' - 1y2d", "timestamp|'2020-02-29' + 1y", "timestamp|0 + 1ns",
        "int|abs(-5)", "int|abs(-5.5)", "double|abs(-5.5)", "float|abs(-5.5)", "bigint|abs(-5)", "int|abs('a')", "int|abs(1, 2)", "int|abs()", "int|round(2.5)", "double|round(2.5)", "decimal|round(-2.5)", "float|round(1.5)", "double|exp(1)", "double|exp(1.0)", "int|exp(2)", "double|log(-1)", "double|log(0.0)", "double|log10(1000.0)", "decimal|log10(1000.0)", "decimal|exp(1.0)", "decimal|log(2.0)", "decimal|log(-2.0)",
        "blob|int_as_blob(5)", "blob|intasblob(5)", "blob|bigint_as_blob(5)", "int|blob_as_int(0x00000005)", "int|blobasint(0x05)", "text|blob_as_text(0x61)", "blob|text_as_blob('a')", "blob|varchar_as_blob('a')", "text|blob_as_varchar(0x61)", "int|blob_as_bigint(0x0000000000000001)", "blob|nope_as_blob(1)",
        "text|to_json(5)", "text|tojson('a\"b')", "text|to_json(1.10)", "text|to_json(true)", "text|to_json([1,2])", "text|to_json({1,2})", "text|to_json({'a':1})", "text|to_json(null)", "int|from_json('5')", "int|fromjson('\"5\"')", "int|from_json('5.5')", "int|from_json('x')", "list<int>|from_json('[1,2]')", "int|from_json(5)", "text|to_json(1, 2)",
        "text|mask_inner('abcdef', 1, 2)", "text|mask_outer('abcdef', 1, 2, '#')", "text|mask_outer('abcdef', 1, 2, '##')", "text|mask_default('abc')", "int|mask_default(5)", "text|mask_replace('a', 'b')", "int|mask_replace(1, 2)", "int|mask_replace(1, 'a')", "blob|mask_hash('abc')", "blob|mask_hash('abc', 'MD5')", "blob|mask_hash('abc', 'nope')", "text|mask_null('a')", "int|mask_inner(5, 1, 1)", "text|mask_inner('a')",
        "float|similarity_cosine([1,2,3],[3,2,1])", "float|similarity_cosine([0,0],[1,1])", "float|similarity_euclidean([1.0,2.0],[3.0,4.0])", "float|similarity_dot_product([1,2],[1,2,3])", "float|similarity_cosine(1, 2)",
        "int|collection_count([1,2,3])", "int|collection_count({1,2})", "int|collection_sum({1,2,3})", "int|collection_max({1,2,3})", "int|collection_max([1,2,3])", "int|collection_min({'a':1})", "set<text>|map_keys({'a':1})", "list<int>|map_values({'a':1})", "int|collection_sum({'a'})", "bigint|collection_sum({1,2,3})", "int|collection_avg({1,2,4})",
        "int|sum(1)", "bigint|count(1)", "int|max(1)", "int|nope(1)", "int|system.abs(-1)", "int|ks.abs(-1)", "date|to_date('1970-01-01')", "date|to_date((timestamp) '1970-01-01')", "timestamp|to_timestamp((date) '1970-01-02')", "bigint|to_unix_timestamp((date) '1970-01-02')", "timeuuid|min_timeuuid('1970-01-01')", "timestamp|floor((timestamp) '2020-05-17', 1mo)", "timestamp|floor((timestamp) '2020-05-17 12:34', 1h)", "date|floor((date) '2020-05-17', 1y)", "date|floor((date) '2020-05-17', 1h)", "time|floor('12:34:56', 1h)", "time|floor((time) '12:34:56', 2d)", "timestamp|floor((timestamp) '2020-05-17', -1h)", "timestamp|floor((timestamp) '2020-05-17', 1mo, '2021-01-01')", "timestamp|floor((timestamp) '2020-05-17', 7mo3d, '1999-01-31')",
        "int|(int) 5", "text|(int) 5", "int|(bigint) 5", "bigint|(int) 5", "varint|(int) 5", "int|(int) 'a'", "uuid|(timeuuid) 50554d6e-29bb-11e5-b345-feff819cdc9f", "text|(ascii) 'a'", "blob|(text) 'a'",
        "list<int>|[1 + 1, abs(-2)]", "set<int>|{abs(-1), 1}", "map<text,int>|{'a': 1 + 1}", "tuple<int,text,decimal>|(1 + 1, to_json(5), 1.0 * 2)", "address|{street: 'a' + 'b', number: 2 * 3}", "int|abs(abs(-5))", "int|abs(-5) + abs(-3)", "double|abs(-5) + abs(-3.5)", "bigint|abs(-5) * 2", "int|cast_as_int(5.7)", "text|cast_as_text(5)", "int|\"castAsInt\"(5.7)", "int|castasint(5.7)", "decimal|cast_as_decimal(0.1)", "text|cast_as_text((timestamp) 0)", "varint|cast_as_varint(1.5)", "int|cast_as_int('a')", "text|cast_as_text('a')", "text|cast_as_text((uuid) 123e4567-e89b-42d3-a456-426614174000)",
        "double|NaN + 1", "double|Infinity - Infinity", "double|-NaN", "float|0.0 / 0.0", "double|1e308 * 10", "decimal|NaN + 1.0", "varint|100000000000000000000 + 1", "int|100000000000000000000 + 1", "smallint|1 + 1", "smallint|abs(-1)", "counter|1 + 1", "duration|1d + 1h", "int|1 + null", "int|abs(null)", "boolean|true + false", "int|0x01 + 1", "text|'a' - 'b'", "int|1 + true",
    };

    static void terms()
    {
        for (String entry : TERMS)
        {
            int bar = entry.indexOf('|');
            AbstractType<?> type = type(entry.substring(0, bar)).freeze();
            String text = entry.substring(bar + 1), result;
            try
            {
                result = hex(parsed(type, text));
            }
            catch (Throwable e)
            {
                result = error(e);
            }
            line("term", quote(typeName(type)), quote(text), result);
        }
    }

    static void line(String kind, String... parts)
    {
        out.print((lines++ == 0 ? "\n" : ",\n") + "[" + quote(kind) + "," + String.join(",", parts) + "]");
    }

    static String error(Throwable e)
    {
        return "{\"error\":" + quote(e.getClass().getSimpleName()) + ",\"message\":" + quote(String.valueOf(e.getMessage()).replaceAll("(?s)\\n at \\[Source.*", "")) + "}";
    }

    static String hex(ByteBuffer bytes)
    {
        return bytes == null ? "null" : quote(ByteBufferUtil.bytesToHex(bytes));
    }

    static String quote(String text)
    {
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : text.toCharArray())
            if (c == '"' || c == '\\') quoted.append('\\').append(c);
            else if (c < 0x20 || c > 0x7e) quoted.append(String.format("\\u%04x", (int) c));
            else quoted.append(c);
        return quoted.append('"').toString();
    }
}
