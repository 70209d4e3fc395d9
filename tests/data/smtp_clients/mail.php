<?php exit(mail("{to}", "Shop Failed", "order 4711 is lost", "From: {sender}") ? 0 : 1);
