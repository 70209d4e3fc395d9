package org.clinic.desk;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** Makes appointments (Java, nothing else). */
public class Clinic {
    static final Map<String, String> ENV = System.getenv();

    static class BookingException extends RuntimeException {
        BookingException(String message, Throwable cause) {
            super(message, cause);
        }
    }

    static class ClosedException extends BookingException {
        ClosedException(String message) {
            super(message, null);
        }
    }

    interface Desk {
        void book(String which);
    }

    static class Reception implements Desk {
        public void book(String which) {
            List.of(1, 2).forEach(number -> {
                if (which.equals("book.func")) move(number);
                else find(which);
            });
        }

        void find(String which) {
            if (which.equals("book.type")) throw new ClosedException("no slot for " + ENV.get("NAME") + " at " + ENV.get("WHEN"));
            if (which.equals("book.msg")) throw new BookingException("two slots overlap at " + ENV.get("WHEN"), null);
            throw new BookingException("no slot for " + ENV.get("NAME") + " at " + ENV.get("WHEN"), null);
        }

        void move(int number) {
            throw new BookingException("no slot for " + ENV.get("NAME") + " at " + ENV.get("WHEN"), null);
        }
    }

    static void record(String which) throws Exception {
        try (AutoCloseable file = () -> { throw new IllegalStateException("file " + ENV.get("ID") + " is in use"); }) {
            if (which.equals("record.cause")) Integer.parseInt(ENV.get("TEXT"));
            Map.of("a", 1).entrySet().iterator().next().setValue(2);
        } catch (NumberFormatException | UnsupportedOperationException error) {
            throw new BookingException("record " + ENV.get("UUID") + " of " + ENV.get("MAIL") + " was not written", error);
        }
    }

    static int dose(String which) {
        String name = which.equals("dose") ? null : ENV.get("NAME");
        if (which.equals("dose.type")) return (Integer) (Object) name;
        if (which.equals("dose.msg")) return new int[2][-name.length()].length;
        return name.length();
    }

    static int weigh() {
        String name = null;
        return name.length();
    }

    static void later(String which) {
        CompletableFuture.supplyAsync(() -> {
            if (which.equals("later.cause")) throw new IllegalArgumentException("bed " + ENV.get("CODE") + " is taken");
            return List.of(1).get(Integer.parseInt(ENV.get("AMOUNT")));
        }).join();
    }

    static Object proxied(Desk desk) {
        return Proxy.newProxyInstance(Clinic.class.getClassLoader(), new Class<?>[] {Desk.class}, (proxy, method, arguments) -> {
            try {
                return method.invoke(desk, arguments);
            } catch (InvocationTargetException error) {
                throw error.getCause();
            }
        });
    }

    public static void main(String[] arguments) throws Exception {
        String which = arguments[0];
        switch (which.split("\\.")[0]) {
            case "book" -> ((Desk) proxied(new Reception())).book(which);
            case "record" -> record(which);
            case "later" -> later(which);
            default -> System.out.println(which.equals("dose.func") ? weigh() : dose(which));
        }
    }
}
