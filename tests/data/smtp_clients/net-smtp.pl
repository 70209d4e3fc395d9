use Net::SMTP;
my $c = Net::SMTP->new("localhost", Port => {port}, Hello => "web") or die "no connection: $@";
if ("{mode}" eq "TLS") {{ $c->starttls(SSL_ca_file => "{ca}") or die $c->message }}
if ("{mode}" eq "AUTH") {{ $c->auth("app", "secret") or die $c->message }}
my @dsn = "{mode}" eq "DSN" ? (Notify => ["FAILURE"]) : ();
$c->mail("{sender}", "{mode}" eq "DSN" ? (Return => "HDRS", ENVID => "x") : ()) or die $c->message;
$c->to("{to}", {{@dsn}}) or die $c->message;
$c->data("Subject: Shop Failed\n\norder 4711 is lost\n") or die $c->message;
$c->quit;
