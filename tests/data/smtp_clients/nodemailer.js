const nodemailer = require("{cache}/node/package");
const mode = "{mode}";
nodemailer.createTransport({{ host: "localhost", port: {port}, name: "web", secure: false, ignoreTLS: mode != "TLS", requireTLS: mode == "TLS",
  tls: {{ ca: require("fs").readFileSync("{ca}") }}, auth: mode == "AUTH" ? {{ user: "app", pass: "secret" }} : undefined }})
.sendMail({{ from: "{sender}", to: "{to}", subject: "Shop Failed", text: "order 4711 is lost",
  dsn: mode == "DSN" ? {{ id: "x", return: "headers", notify: ["failure"], recipient: "{sender}" }} : undefined }})
.then(() => process.exit(0), error => {{ console.error(error.message); process.exit(1); }});
