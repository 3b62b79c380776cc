// Writes test vectors from Cassandra's own comparators, validators and literals, one JSON object a line inside an array.
//
// How to run (JDK 17; JARS is a folder with org.apache.cassandra:cassandra-all:5.0.6 and its dependencies, for example
// from `mvn dependency:copy-dependencies`):
//
//   javac -cp "$JARS/*" -d /tmp/generate Generate.java
//   java -Duser.timezone=UTC -cp "/tmp/generate:$JARS/*" Generate 1 12 40 vectors.json
//
// Arguments: seed, values a type, pairs a type, file. The stored file was made with `1 12 40`; large runs take `2 2000 100000`.

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;

import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.ColumnIdentifier;
import org.apache.cassandra.cql3.ColumnSpecification;
import org.apache.cassandra.cql3.Constants;
import org.apache.cassandra.cql3.FieldIdentifier;
import org.apache.cassandra.cql3.Lists;
import org.apache.cassandra.cql3.Maps;
import org.apache.cassandra.cql3.Sets;
import org.apache.cassandra.db.marshal.*;
import org.apache.cassandra.exceptions.InvalidRequestException;
import org.apache.cassandra.schema.CQLTypeParser;
import org.apache.cassandra.schema.Types;
import org.apache.cassandra.serializers.MarshalException;
import org.apache.cassandra.transport.ProtocolVersion;
import org.apache.cassandra.utils.ByteBufferUtil;

public class Generate
{
    static final String[] TYPES = {
        "ascii", "bigint", "blob", "boolean", "date", "decimal", "double", "float", "inet", "int", "smallint", "text",
        "time", "timestamp", "timeuuid", "tinyint", "uuid", "varint",
        "frozen<list<int>>", "frozen<list<decimal>>", "frozen<list<text>>", "frozen<list<frozen<list<boolean>>>>",
        "frozen<list<inet>>", "frozen<set<decimal>>", "frozen<set<varint>>", "frozen<set<text>>", "frozen<set<double>>",
        "frozen<set<frozen<tuple<boolean, float>>>>", "frozen<map<text, int>>", "frozen<map<decimal, varint>>",
        "frozen<map<frozen<list<boolean>>, frozen<set<decimal>>>>",
        "tuple<int>", "tuple<boolean, text, decimal>", "tuple<frozen<tuple<boolean, tinyint>>, inet>",
        "tuple<frozen<set<boolean>>, frozen<map<varint, boolean>>>", "tuple<uuid, timeuuid, smallint>",
        "frozen<address>", "vector<float, 3>", "vector<boolean, 2>", "vector<tinyint, 2>", "vector<text, 2>",
        "vector<frozen<list<decimal>>, 2>", "vector<vector<int, 2>, 2>", "vector<varint, 3>",
        "frozen<set<vector<decimal, 2>>>",
    };

    static final Random random = new Random();
    static Types udts;

    public static void main(String[] args) throws java.io.IOException
    {
        DatabaseDescriptor.clientInitialization();
        random.setSeed(Long.parseLong(args[0]));
        int values = Integer.parseInt(args[1]);
        int pairs = Integer.parseInt(args[2]);
        AbstractType<?> tags = CQLTypeParser.parse("ks", "frozen<set<decimal>>", Types.none());
        udts = Types.of(new UserType("ks", ByteBufferUtil.bytes("address"),
                                     Arrays.asList(FieldIdentifier.forUnquoted("street"), FieldIdentifier.forUnquoted("number"),
                                                   FieldIdentifier.forUnquoted("tags")),
                                     Arrays.asList(UTF8Type.instance, Int32Type.instance, tags), true));
        java.io.PrintStream out = new java.io.PrintStream(args[3], "US-ASCII");
        out.println("[");
        for (String name : TYPES)
        {
            AbstractType<?> type = CQLTypeParser.parse("ks", name, udts);
            StringBuilder line = new StringBuilder("{\"type\":").append(quote(name));
            line.append(",\"printed\":").append(quote(type.asCQL3Type().toString()));
            line.append(",\"values\":[");
            for (int i = 0; i < values; i++)
                line.append(i == 0 ? "" : ",").append(verdict(type, i % 2 == 0 ? generate(type) : mutate(generate(type))));
            line.append("],\"pairs\":[");
            for (int i = 0; i < pairs;)
            {
                String pair = pair(type);
                if (pair != null)
                    line.append(i++ == 0 ? "" : ",").append(pair);
            }
            out.println(line.append("]},"));
        }
        out.println(literals());
        out.println("]");
        out.close();
    }

    /** [value, null or message, stored bytes unless they are the value]. */
    static String verdict(AbstractType<?> type, ByteBuffer value)
    {
        try
        {
            ByteBuffer stored = stored(type, value.duplicate());
            return "[" + hex(value) + ",null" + (stored.equals(value) ? "" : "," + hex(stored)) + "]";
        }
        catch (MarshalException | InvalidRequestException e)
        {
            return "[" + hex(value) + "," + quote(e.getMessage()) + "]";
        }
        catch (Throwable e)
        {
            return "[" + hex(value) + "," + quote("<" + e.getClass().getSimpleName() + ">") + "]";
        }
    }

    /** What a bound value becomes before it is written. */
    static ByteBuffer stored(AbstractType<?> type, ByteBuffer value)
    {
        if (type instanceof ListType)
        {
            Lists.Value list = Lists.Value.fromSerialized(value, (ListType<?>) type);
            // Cassandra keeps such a null in frozen lists and fails on it when it compares them.
            if (list.getElements().contains(null))
                throw new InvalidRequestException("null is not supported inside collections");
            return list.get(ProtocolVersion.V4);
        }
        if (type instanceof SetType)
            return Sets.Value.fromSerialized(value, (SetType<?>) type).get(ProtocolVersion.V4);
        if (type instanceof MapType)
            return Maps.Value.fromSerialized(value, (MapType<?, ?>) type).get(ProtocolVersion.V4);
        type.validate(value);
        return value;
    }

    /** [left, right, sign of compare], both as stored; null when one is not valid. */
    static String pair(AbstractType<?> type)
    {
        try
        {
            ByteBuffer first = generate(type);
            ByteBuffer left = stored(type, first.duplicate());
            ByteBuffer right = stored(type, random.nextBoolean() ? mutate(first) : generate(type));
            return "[" + hex(left) + "," + hex(right) + "," + Integer.signum(type.compare(left, right)) + "]";
        }
        catch (Throwable e)
        {
            return null;
        }
    }

    // ---- values ----

    static ByteBuffer mutate(ByteBuffer value)
    {
        byte[] bytes = ByteBufferUtil.getArray(value);
        int at = bytes.length == 0 ? 0 : random.nextInt(bytes.length);
        switch (random.nextInt(6))
        {
            case 0:
                return ByteBuffer.wrap(Arrays.copyOf(bytes, bytes.length + 1));
            case 1:
                return ByteBuffer.wrap(Arrays.copyOf(bytes, Math.max(0, bytes.length - 1)));
            case 2:
                if (bytes.length > 0)
                    bytes[at] = (byte) random.nextInt();
                return ByteBuffer.wrap(bytes);
            case 3:
                if (bytes.length > 0)
                    bytes[bytes.length - 1] ^= 1 << random.nextInt(8);
                return ByteBuffer.wrap(bytes);
            default:
                if (bytes.length > 0)
                    bytes[at] ^= 1 << random.nextInt(8);
                return ByteBuffer.wrap(bytes);
        }
    }

    static ByteBuffer generate(AbstractType<?> type)
    {
        if (type instanceof ListType)
            return elements(((ListType<?>) type).getElementsType(), 1);
        if (type instanceof SetType)
            return elements(((SetType<?>) type).getElementsType(), 1);
        if (type instanceof MapType)
            return entries((MapType<?, ?>) type);
        if (type instanceof TupleType)
            return tuple(((TupleType) type).allTypes());
        if (type instanceof VectorType)
        {
            VectorType<?> vector = (VectorType<?>) type;
            List<ByteBuffer> parts = new ArrayList<>();
            for (int i = 0; i < vector.dimension; i++)
            {
                ByteBuffer part = generate(vector.elementType);
                while (!part.hasRemaining())
                    part = generate(vector.elementType);
                parts.add(part);
            }
            return vector.decomposeRaw(parts);
        }
        boolean canBeEmpty = type.allowsEmpty() || type instanceof BytesType || type instanceof UTF8Type || type instanceof AsciiType;
        return canBeEmpty && random.nextInt(25) == 0 ? ByteBufferUtil.EMPTY_BYTE_BUFFER : nativeValue(type);
    }

    static ByteBuffer elements(AbstractType<?> element, int perElement)
    {
        int count = random.nextInt(4);
        List<ByteBuffer> parts = new ArrayList<>();
        for (int i = 0; i < count * perElement; i++)
            parts.add(generate(element));
        return pack(parts, count);
    }

    static ByteBuffer entries(MapType<?, ?> type)
    {
        int count = random.nextInt(4);
        List<ByteBuffer> parts = new ArrayList<>();
        for (int i = 0; i < count; i++)
        {
            parts.add(generate(type.getKeysType()));
            parts.add(generate(type.getValuesType()));
        }
        return pack(parts, count);
    }

    static ByteBuffer pack(List<ByteBuffer> parts, int count)
    {
        int size = 4;
        for (ByteBuffer part : parts)
            size += 4 + part.remaining();
        ByteBuffer out = ByteBuffer.allocate(size);
        out.putInt(count);
        for (ByteBuffer part : parts)
            out.putInt(part.remaining()).put(part.duplicate());
        return out.flip();
    }

    static ByteBuffer tuple(List<AbstractType<?>> types)
    {
        int present = random.nextInt(3) == 0 ? random.nextInt(types.size() + 1) : types.size();
        ByteBuffer[] parts = new ByteBuffer[present];
        for (int i = 0; i < present; i++)
            parts[i] = random.nextInt(5) == 0 ? null : generate(types.get(i));
        return TupleType.buildValue(parts);
    }

    static final long[] EDGES = { 0, 1, -1, 2, 127, 128, -128, -129, 255, 256, 32767, -32768, 65535, Integer.MAX_VALUE, Integer.MIN_VALUE,
                                  1L << 40, Long.MAX_VALUE, Long.MIN_VALUE };
    static final double[] FLOATS = { 0.0, -0.0, 1, -1, 1.5, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Float.MIN_VALUE,
                                     -Float.MIN_VALUE, Float.MAX_VALUE, Double.MIN_VALUE, Double.MAX_VALUE, -Double.MAX_VALUE };
    static final String[] TEXTS = { "", "a", "aa", "ab", "b", "\0", "a\0", "\u007f", "z", "A" };
    static final String[] WIDE_TEXTS = { "é", "ß", "aé", "\ud83d\ude00", "\uffff", "\u0800", "中文" };

    static long integer()
    {
        return random.nextInt(3) == 0 ? random.nextLong() >> random.nextInt(64) : EDGES[random.nextInt(EDGES.length)];
    }

    static ByteBuffer nativeValue(AbstractType<?> type)
    {
        ByteBuffer out = ByteBuffer.allocate(16);
        if (type instanceof LongType || type instanceof TimestampType || type instanceof TimeType)
            return (ByteBuffer) out.putLong(integer()).flip();
        if (type instanceof Int32Type || type instanceof SimpleDateType)
            return (ByteBuffer) out.putInt((int) integer()).flip();
        if (type instanceof ShortType)
            return (ByteBuffer) out.putShort((short) integer()).flip();
        if (type instanceof ByteType)
            return (ByteBuffer) out.put((byte) integer()).flip();
        if (type instanceof BooleanType)
            return (ByteBuffer) out.put((byte) random.nextInt(3)).flip();
        if (type instanceof DoubleType)
            return (ByteBuffer) (random.nextInt(4) == 0 ? out.putLong(0x7ff0000000000000L | integer())
                                                        : random.nextBoolean() ? out.putLong(random.nextLong())
                                                                               : out.putDouble(FLOATS[random.nextInt(FLOATS.length)])).flip();
        if (type instanceof FloatType)
            return (ByteBuffer) (random.nextInt(4) == 0 ? out.putInt(0x7f800000 | (int) integer())
                                                        : random.nextBoolean() ? out.putInt(random.nextInt())
                                                                               : out.putFloat((float) FLOATS[random.nextInt(FLOATS.length)])).flip();
        if (type instanceof InetAddressType)
            return inet();
        if (type instanceof UUIDType || type instanceof TimeUUIDType)
            return uuid(type instanceof TimeUUIDType);
        if (type instanceof IntegerType)
            return varint();
        if (type instanceof DecimalType)
            return decimal();
        if (type instanceof UTF8Type && random.nextInt(3) == 0)
            return ByteBufferUtil.bytes(WIDE_TEXTS[random.nextInt(WIDE_TEXTS.length)] + TEXTS[random.nextInt(TEXTS.length)]);
        if (type instanceof BytesType && random.nextInt(3) == 0)
        {
            byte[] bytes = new byte[random.nextInt(6)];
            random.nextBytes(bytes);
            return ByteBuffer.wrap(bytes);
        }
        return ByteBufferUtil.bytes(TEXTS[random.nextInt(TEXTS.length)] + TEXTS[random.nextInt(TEXTS.length)]);
    }

    static ByteBuffer inet()
    {
        byte[] bytes = new byte[random.nextBoolean() ? 4 : 16];
        if (random.nextBoolean())
            random.nextBytes(bytes);
        else
            bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(3);
        if (bytes.length == 16 && random.nextInt(3) == 0)
        {
            Arrays.fill(bytes, 0, 10, (byte) 0);
            bytes[10] = bytes[11] = -1;
        }
        return ByteBuffer.wrap(bytes);
    }

    static ByteBuffer uuid(boolean onlyTime)
    {
        byte[] bytes = new byte[16];
        if (random.nextBoolean())
            random.nextBytes(bytes);
        else
            bytes[random.nextInt(16)] = (byte) random.nextInt();
        int version = onlyTime ? 1 : random.nextInt(3) == 0 ? random.nextInt(16) : random.nextBoolean() ? 1 : 4;
        bytes[6] = (byte) ((bytes[6] & 0x0f) | version << 4);
        return ByteBuffer.wrap(bytes);
    }

    static ByteBuffer varint()
    {
        byte[] number;
        if (random.nextInt(8) == 0)
        {
            number = new byte[1 + random.nextInt(40)];
            random.nextBytes(number);
        }
        else
            number = java.math.BigInteger.valueOf(integer()).toByteArray();
        int padding = random.nextInt(4) == 0 ? random.nextInt(3) : 0;
        byte[] bytes = new byte[number.length + padding];
        Arrays.fill(bytes, 0, padding, (byte) (number[0] < 0 ? -1 : 0));
        System.arraycopy(number, 0, bytes, padding, number.length);
        return ByteBuffer.wrap(bytes);
    }

    static final int[] SCALES = { 0, 0, 0, 1, 2, 3, -1, -2, 10, -10, 40, -40, 300, Integer.MAX_VALUE, Integer.MIN_VALUE, Integer.MIN_VALUE + 1 };

    static ByteBuffer decimal()
    {
        java.math.BigInteger number = random.nextInt(3) == 0 ? java.math.BigInteger.valueOf(random.nextInt(21) - 10)
                                                             : new java.math.BigInteger(ByteBufferUtil.getArray(varint()));
        int scale = SCALES[random.nextInt(SCALES.length)];
        int zeros = random.nextInt(3);
        number = number.multiply(java.math.BigInteger.TEN.pow(zeros));
        if (scale < Integer.MAX_VALUE - 3)
            scale += zeros;
        byte[] bytes = number.toByteArray();
        int padding = random.nextInt(4) == 0 ? 1 : 0;
        ByteBuffer out = ByteBuffer.allocate(4 + padding + bytes.length).putInt(scale);
        if (padding == 1)
            out.put((byte) (bytes[0] < 0 ? -1 : 0));
        return out.put(bytes).flip();
    }

    // ---- literals ----

    static final String[] NUMBERS = {
        "0", "1", "-1", "127", "128", "-128", "-129", "32767", "32768", "-32768", "-32769", "2147483647", "2147483648", "-2147483648",
        "-2147483649", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "007", "4294967295",
        "4294967296", "86399999999999", "86400000000000", "16777217", "-0", "123456789012345678901234567890", "1000000",
    };
    static final String[] FLOAT_TEXTS = {
        "0.0", "-0.0", "1.5", "-1.50", "1e5", "1E-5", "1.0e+3", "NaN", "-NaN", "Infinity", "-Infinity", "3.4028235e38", "3.4028236e38",
        "3.4028235677973366e38", "3.40282356779733661637539395458142568447e38", "1e-45", "7.0064923216240853e-46", "7.006492321624086e-46",
        "1.00000005960464477539062", "1.000000059604644775390625", "1.00000005960464477539063", "1.0000001788139342", "16777217.0000000001",
        "1e400", "-1e400", "1e-400", "123456789.123456789", "1e2147483647", "1e2147483648", "1e-2147483647", "1e-2147483649", "0e5", "1.",
        "100e-2", "0.1",
    };
    static final String[] STRINGS = {
        "", "abc", "é", "\ud83d\ude00", "127.0.0.1", "1.2.3", "1.2", "16909060", "256.1.1.1", "1.2.3.4.5", "::1", "::", "::ffff:1.2.3.4", "1::2::3",
        "2001:db8::8a2e:370:7334", "2001:DB8:0:0:0:0:0:1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7", "12345::1", "[::1]", "::1.2.3.4",
        "1:2:3:4:5:6:1.2.3.4", "1970-01-01", "2015-05-03", "0001-01-01", "-0001-01-01", "+10000-01-01", "10000-01-01", "+2015-05-03", "2015-5-3",
        "2015-02-29", "2016-02-29", "2016-02-31", "2016-13-01", "-5877641-06-23", "-5877641-06-22", "+5881580-07-11", "+5881580-07-12", "0000-01-01",
        "-0000-01-01", "0", "-1", "2147483648", "4294967295", "4294967296", "99999999999999999999", "1", "08:12:54", "08:12:54.123", "08:12:54.123456789",
        "08:12:54.1234567890", "8:1:5", "24:00:00", "23:59:60", "08:12", "08:12:54.", " 08:12:54 ", "-1:00:00", "+8:12:54", "2011-02-03 04:05",
        "2011-02-03 04:05:06", "2011-02-03 04:05:06.7", "2011-02-03 04:05:06.789", "2011-02-03 04:05:06.789123", "2011-02-03T04:05:06.789Z",
        "2011-02-03T04:05+0000", "2011-02-03T04:05:06+01:30", "2011-02-03T04:05:06-0130", "2011-02-03 04:05:06 +0000", "2011-02-03 04:05:06 UTC",
        "2011-02-03 04:05:06 GMT", "2011-02-03 04:05:06 Z", "2011-02-03 04:05:06+01", "2011-02-03 04:05:06 +01:00", "2011-02-03", "2011-02-03Z",
        "2011-02-03+0100", "2011-02-03 +0100", "2011-02-03+01:00", "2011-02-31 04:05", "2011-02-31", "2011-2-3 4:5", "2011-2-3 4:5:6", "2011-2-3",
        "2011-02-03 24:00", "2011-02-03 24:00:01", "2011-02-03 04:60", "2011-02-03 04:05.5", "2011-02-03 04:05:06.", "2011-02-03T04:05:06 GMT",
        "11-02-03 04:05", "12011-02-03 04:05", "2011-02-03  04:05", "2011-02-03t04:05", "2011-02-03 04:05z", "2011-02-03T04:05:06.123456789Z",
        "2011-02-03T04:05:06.1234567890Z", "-2011-02-03 04:05", "0-02-03 04:05", "2011-02-03 UTC", "2011-02-03 04:05:06+19:00", "2011-02-03 04:05:06+18:00",
        "2011-02-03 04:05:06+18:01", "9223372036854775807", "9223372036854775808", "2011-02-32 04:05", "2011-02-03 04:05:06 UTC+01:00", "2011-02-03T04:05:06.7 ",
        "2011-02-03 04:05:06 UT", "2011-02-03 04:05:06 GMT+1", "2011-02-03 04:05:06 UTC+0100", "true", "1:2",
    };
    static final String[] DURATIONS = {
        "1y", "1y2mo3w4d5h6m7s8ms9us10ns", "1Y2MO", "2w", "3h4m", "1h1h", "1m1h", "1d1y", "P1Y2M3DT4H5M6S", "P1Y", "PT1H", "P2W", "P0001-02-03T04:05:06",
        "-1d", "-P1D", "10µs", "1x", "1", "", "P", "P1H", "2147483647d", "2147483648d", "178956971y", "178956970y", "9223372036854775807ns",
        "9223372036854775808ns", "106752d", "2562047h", "2562048h", "1d ", " 1d", "-", "1y1", "0d", "306783379w", "306783378w1d", "1ms1m",
    };
    static final String[] UUIDS = { "123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-42D3-A456-426614174000", "123e4567-e89b-12d3-a456-42661417400" };
    static final String[] SCALARS = {
        "ascii", "bigint", "blob", "boolean", "counter", "date", "decimal", "double", "duration", "float", "inet", "int", "smallint", "text", "time",
        "timestamp", "timeuuid", "tinyint", "uuid", "varint", "frozen<list<int>>", "frozen<address>", "vector<int, 2>", "tuple<int, text>",
    };

    static String literals()
    {
        List<String> out = new ArrayList<>();
        for (String name : SCALARS)
        {
            AbstractType<?> type = CQLTypeParser.parse("ks", name, udts);
            for (String text : NUMBERS)
                literal(out, name, type, "integer", text);
            for (String text : FLOAT_TEXTS)
                literal(out, name, type, "float", text);
            for (String text : STRINGS)
                literal(out, name, type, "string", text);
            for (String text : DURATIONS)
                literal(out, name, type, "duration", text);
            for (String text : UUIDS)
                literal(out, name, type, "uuid", text);
            for (String text : new String[] { "true", "FALSE" })
                literal(out, name, type, "boolean", text);
            for (String text : new String[] { "0x", "0xff", "0x0aFf", "0xf" })
                literal(out, name, type, "hex", text);
        }
        return "{\"literals\":[" + String.join(",\n", out) + "]}";
    }

    /** [type, constant type, text, bytes in hex or null, message]. Constants that do not fit appear once a type. */
    static void literal(List<String> out, String name, AbstractType<?> type, String kind, String text)
    {
        String head = "[" + quote(name) + "," + quote(kind) + "," + quote(text) + ",";
        ColumnSpecification column = new ColumnSpecification("ks", "t", new ColumnIdentifier("c", true), type);
        try
        {
            out.add(head + hex(constant(kind, text).prepare("ks", column).bytes) + "]");
        }
        catch (MarshalException | InvalidRequestException e)
        {
            boolean fits = !e.getMessage().startsWith("Invalid " + kind.toUpperCase());
            String start = head.substring(0, head.indexOf(',', head.indexOf(kind)));
            if (fits || out.stream().noneMatch(other -> other.startsWith(start)))
                out.add(head + "null," + quote(e.getMessage()) + "]");
        }
        catch (Throwable e)
        {
            // The constant cannot even be made: the grammar never gives this text.
        }
    }

    static Constants.Literal constant(String kind, String text)
    {
        switch (kind)
        {
            case "integer": return Constants.Literal.integer(text);
            case "float": return Constants.Literal.floatingPoint(text);
            case "string": return Constants.Literal.string(text);
            case "duration": return Constants.Literal.duration(text);
            case "uuid": return Constants.Literal.uuid(text);
            case "boolean": return Constants.Literal.bool(text);
            default: return Constants.Literal.hex(text);
        }
    }

    // ---- JSON ----

    static String hex(ByteBuffer bytes)
    {
        return "\"" + ByteBufferUtil.bytesToHex(bytes) + "\"";
    }

    static String quote(String text)
    {
        StringBuilder out = new StringBuilder("\"");
        for (char c : String.valueOf(text).toCharArray())
        {
            if (c == '"' || c == '\\')
                out.append('\\').append(c);
            else if (c < 0x20 || c > 0x7e)
                out.append(String.format("\\u%04x", (int) c));
            else
                out.append(c);
        }
        return out.append('"').toString();
    }
}
