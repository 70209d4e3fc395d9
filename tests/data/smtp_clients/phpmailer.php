<?php
require "/usr/share/php/libphp-phpmailer/autoload.php";
$m = new PHPMailer\PHPMailer\PHPMailer(true);
$m->isSMTP(); $m->Host = "localhost"; $m->Port = {port}; $m->Hostname = "web"; $m->SMTPAutoTLS = false;
if ("{mode}" == "TLS") {{ $m->SMTPSecure = "tls"; $m->SMTPOptions = ["ssl" => ["cafile" => "{ca}"]]; }}
if ("{mode}" == "AUTH") {{ $m->SMTPAuth = true; $m->Username = "app"; $m->Password = "secret"; }}
if ("{mode}" == "DSN") $m->dsn = "FAILURE";
$m->setFrom("{sender}"); $m->addAddress("{to}"); $m->Subject = "Shop Failed"; $m->Body = "order 4711 is lost";
$m->send();
