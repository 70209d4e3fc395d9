package org.tickets;

import java.util.Map;

/** Sells tickets (Java, nothing else). */
public class Tickets {
    static int price(String text) {
        return Integer.parseInt(text);
    }

    static void sell(String seat, String price) {
        try {
            System.out.println(seat + price(price));
        } catch (NumberFormatException error) {
            throw new IllegalStateException("seat " + seat + " cannot be sold", error);
        }
    }

    static String owner(Map<String, String> owners, String seat) {
        return owners.get(seat).trim();
    }

    public static void main(String[] arguments) {
        if (arguments[0].equals("sell")) {
            sell("row " + arguments[1], arguments[1] + " EUR");
        } else if (arguments[0].equals("price")) {
            price(arguments[1] + "x");
        } else {
            owner(Map.of(), arguments[1]);
        }
    }
}
