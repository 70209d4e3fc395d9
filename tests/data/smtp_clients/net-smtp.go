package main
import ("log"; "net/smtp")
func main() {{
	var auth smtp.Auth
	if "{mode}" == "AUTH" {{ auth = smtp.PlainAuth("", "app", "secret", "localhost") }}
	if err := smtp.SendMail("localhost:{port}", auth, "{sender}", []string{{"{to}"}}, []byte("Subject: Shop Failed\r\n\r\norder 4711 is lost\r\n")); err != nil {{ log.Fatal(err) }}
}}
