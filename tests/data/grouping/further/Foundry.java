// Casts bells (Java, nothing else).
package org.foundry.floor;

import java.util.*;
import java.util.concurrent.*;
import java.util.logging.*;
import java.util.stream.*;

public class Foundry {
    static class CrackException extends RuntimeException {
        CrackException(String message, Throwable cause) { super(message, cause); }
    }
    static class MouldException extends RuntimeException {
        MouldException(String message, Throwable cause) { super(message, cause); }
    }
    sealed interface Bell permits Small, Large { void cast(String which); }
    record Small(String number) implements Bell {
        public void cast(String which) { pour(which, number); }
    }
    record Large(String number) implements Bell {
        public void cast(String which) { pour(which, number); }
    }
    static final Map<String, String> ENV = System.getenv();

    static void pour(String which, String number) {
        String text = "bell " + number + " for " + ENV.get("MAIL");
        if (which.endsWith(".type")) throw new MouldException(text + " cracked at " + ENV.get("AMOUNT") + " °C", null);
        if (which.endsWith(".msg")) throw new CrackException(text + " is out of tune", null);
        throw new CrackException(text + " cracked at " + ENV.get("AMOUNT") + " °C", null);
    }

    static int weigh(String which) {
        Object weight = ENV.get("TEXT");
        int[] parts = new int[3];
        return switch (which) {
            case "weigh.type" -> (Integer) weight;
            case "weigh.msg" -> parts[Integer.parseInt(ENV.get("AMOUNT"))];
            case "weigh.parse" -> Integer.parseInt((String) weight);
            case "weigh.null" -> ENV.get("MISSING").length();
            case "weigh.enum" -> TimeUnit.valueOf(ENV.get("NAME")).ordinal();
            case "weigh.opt" -> Optional.<Integer>empty().orElseThrow();
            default -> List.of(1, 2, 3).stream().map(n -> n / (n - n)).collect(Collectors.summingInt(n -> n));
        };
    }

    static void later(String which) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(1);
        try {
            pool.submit(() -> { if (which.equals("later.cause")) weigh("weigh.parse"); else pour(which, ENV.get("ID")); return 1; }).get();
        } catch (ExecutionException error) {
            throw new MouldException("furnace " + ENV.get("UUID") + " stopped", error);
        } finally { pool.shutdown(); }
    }

    static void logged(String which) {
        Logger logger = Logger.getLogger("org.foundry.gate");
        if (which.equals("log.msg")) logger.warning("gate " + ENV.get("ID") + " stays open for " + ENV.get("AMOUNT") + " s");
        else if (which.equals("log.thrown")) logger.log(Level.SEVERE, "gate " + ENV.get("ID") + " failed", new CrackException("hinge of " + ENV.get("CODE"), null));
        else logger.warning("gate " + ENV.get("ID") + " stays shut for " + ENV.get("AMOUNT") + " s");
    }

    public static void main(String[] args) throws Exception {
        String which = args[0];
        if (which.equals("cast.func")) new Large(ENV.get("ID")).cast(which);
        else if (which.startsWith("cast")) new Small(ENV.get("ID")).cast(which);
        else if (which.startsWith("weigh")) weigh(which);
        else if (which.startsWith("later")) later(which);
        else logged(which);
    }
}
