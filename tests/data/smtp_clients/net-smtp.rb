require "net/smtp"
smtp = Net::SMTP.new("localhost", {port})
"{mode}" == "TLS" ? smtp.enable_starttls : smtp.disable_starttls
args = "{mode}" == "AUTH" ? ["web", "app", "secret", :plain] : ["web"]
smtp.start(*args) {{ |c| c.send_message "Subject: Shop Failed\n\norder 4711 is lost\n", "{sender}", "{to}" }}
