// Prints what Cassandra 5.0.6 makes of SELECT statements on one table, without a running node: bind markers, indexes of the
// partition key, result columns, or the error. prepare_verdicts.json holds its answers. Without a node Cassandra takes every
// column for an indexed one, so statements whose verdict hangs on ALLOW FILTERING are not in that file; nor are errors that
// repeat a value.
// Run: java <the --add-exports and --add-opens of Cassandra> -cp '<jars of org.apache.cassandra:cassandra-all:5.0.6>/*'
//   PrepareVerdicts.java <file with one statement a line>
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.cassandra.config.Config;
import org.apache.cassandra.config.DatabaseDescriptor;
import org.apache.cassandra.cql3.QueryProcessor;
import org.apache.cassandra.cql3.statements.SelectStatement;
import org.apache.cassandra.cql3.statements.schema.CreateTableStatement;
import org.apache.cassandra.dht.Murmur3Partitioner;
import org.apache.cassandra.exceptions.RequestValidationException;
import org.apache.cassandra.schema.KeyspaceMetadata;
import org.apache.cassandra.schema.KeyspaceParams;
import org.apache.cassandra.schema.Schema;
import org.apache.cassandra.schema.SchemaTransformations;
import org.apache.cassandra.schema.Tables;
import org.apache.cassandra.service.ClientState;

public class PrepareVerdicts {
  public static void main(String[] args) throws Exception {
    Config config = new Config();
    DatabaseDescriptor.clientInitialization(false, () -> config);
    DatabaseDescriptor.setPartitionerUnsafe(Murmur3Partitioner.instance);
    String table =
        "CREATE TABLE ks.t (k1 text, k2 int, c1 int, c2 text, \"Odd\" frozen<list<int>>, props map<text, text>, "
            + "tags set<text>, v text, PRIMARY KEY ((k1, k2), c1, c2)) WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC)";
    KeyspaceMetadata keyspace =
        KeyspaceMetadata.create(
            "ks", KeyspaceParams.simple(1), Tables.of(CreateTableStatement.parse(table, "ks").build()));
    Schema.instance.transform(SchemaTransformations.addKeyspace(keyspace, true));
    for (String query : Files.readAllLines(Paths.get(args[0]))) {
      System.out.println("V\t" + query + "\t" + verdict(query));
    }
    System.exit(0);
  }

  private static String verdict(String query) {
    try {
      SelectStatement select =
          (SelectStatement)
              QueryProcessor.parseStatement(query).prepare(ClientState.forInternalCalls());
      short[] keys = select.getPartitionKeyBindVariableIndexes();
      return "OK\t"
          + select.getBindVariables().stream()
              .map(v -> v.name + " " + v.type.asCQL3Type())
              .collect(Collectors.joining(";"))
          + "\t"
          + (keys == null
              ? ""
              : IntStream.range(0, keys.length)
                  .mapToObj(i -> "" + keys[i])
                  .collect(Collectors.joining(",")))
          + "\t"
          + select.getResultMetadata().names.stream()
              .map(c -> c.name + " " + c.type.asCQL3Type())
              .collect(Collectors.joining(";"));
    } catch (RequestValidationException e) {
      return "ERR\t" + e.getClass().getSimpleName() + "\t" + e.getMessage();
    }
  }
}
