import java.util.Properties;
import javax.mail.*;
import javax.mail.internet.*;
public class Send {{
  public static void main(String[] a) throws Exception {{
    Properties p = new Properties();
    p.put("mail.smtp.host", "localhost"); p.put("mail.smtp.port", "{port}"); p.put("mail.smtp.localhost", "web");
    String mode = "{mode}";
    if (mode.equals("TLS")) {{ p.put("mail.smtp.starttls.required", "true"); p.put("mail.smtp.starttls.enable", "true"); p.put("mail.smtp.ssl.trust", "localhost"); }}
    if (mode.equals("AUTH")) p.put("mail.smtp.auth", "true");
    if (mode.equals("DSN")) {{ p.put("mail.smtp.dsn.notify", "FAILURE"); p.put("mail.smtp.dsn.ret", "HDRS"); }}
    Session s = Session.getInstance(p, new Authenticator() {{
      protected PasswordAuthentication getPasswordAuthentication() {{ return new PasswordAuthentication("app", "secret"); }} }});
    MimeMessage m = new MimeMessage(s);
    m.setFrom("{sender}"); m.setRecipients(Message.RecipientType.TO, "{to}"); m.setSubject("Shop Failed"); m.setText("order 4711 is lost");
    Transport.send(m);
  }}
}}
