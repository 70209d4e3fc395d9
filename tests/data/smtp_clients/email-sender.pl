use Email::Sender::Simple qw(sendmail);
use Email::Sender::Transport::SMTP;
my $t = Email::Sender::Transport::SMTP->new(host => "localhost", port => {port},
  ("{mode}" eq "TLS" ? (ssl => "starttls", ssl_options => {{ SSL_ca_file => "{ca}" }}) : ()),
  ("{mode}" eq "AUTH" ? (sasl_username => "app", sasl_password => "secret") : ()));
sendmail("From: {sender}\nTo: {to}\nSubject: Shop Failed\n\norder 4711 is lost\n", {{ transport => $t, from => "{sender}", to => ["{to}"] }});
