import com.datastax.oss.driver.api.core.CqlSessionBuilder;
import com.datastax.oss.driver.api.core.ssl.ProgrammaticSslEngineFactory;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** TLS and password of a client, as the variables of test/conformance/README.md say. Keys are elliptic curve keys in PEM. */
final class ClientIdentity {
  private static final char[] NO_PASSWORD = new char[0];

  static void apply(CqlSessionBuilder builder) throws Exception {
    String ca = System.getenv("CQLOCK_TEST_TLS_CA");
    if (ca != null) {
      String certificate = System.getenv("CQLOCK_TEST_TLS_CERT");
      KeyManager[] own = certificate == null ? null : keys(certificate, System.getenv("CQLOCK_TEST_TLS_KEY"));
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(own, trust(ca).getTrustManagers(), null);
      builder.withSslEngineFactory(new ProgrammaticSslEngineFactory(context, null, true));
    }
    String user = System.getenv("CQLOCK_TEST_USER");
    if (user != null) builder.withAuthCredentials(user, System.getenv("CQLOCK_TEST_PASSWORD"));
  }

  private static TrustManagerFactory trust(String ca) throws Exception {
    KeyStore store = empty();
    store.setCertificateEntry("ca", certificate(ca));
    TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    return factory;
  }

  private static KeyManager[] keys(String certificate, String key) throws Exception {
    String pem = Files.readString(Path.of(key)).replaceAll("-----[A-Z ]+-----|\\s", "");
    PrivateKey secret = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
    KeyStore store = empty();
    store.setKeyEntry("own", secret, NO_PASSWORD, new Certificate[] {certificate(certificate)});
    KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    factory.init(store, NO_PASSWORD);
    return factory.getKeyManagers();
  }

  private static KeyStore empty() throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    return store;
  }

  private static Certificate certificate(String path) throws Exception {
    try (InputStream pem = Files.newInputStream(Path.of(path))) {
      return CertificateFactory.getInstance("X.509").generateCertificate(pem);
    }
  }
}
