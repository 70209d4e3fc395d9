// Presses grapes (Kotlin, nothing else).
package org.vineyard

class PressError(message: String, cause: Throwable? = null) : Exception(message, cause)

class Vat(private val which: String) {
    private val env = System.getenv()

    fun fill(litres: List<Int>) = litres.map { litre ->
        if (which == "fill.func") pump(litre) else pour(litre)
    }

    private fun pour(litre: Int): Int {
        check(which != "fill.type") { "vat ${env["ID"]} took $litre of ${env["AMOUNT"]} litres" }
        if (which == "fill.msg") throw PressError("vat ${env["ID"]} leaks since ${env["WHEN"]}")
        throw PressError("vat ${env["ID"]} took $litre of ${env["AMOUNT"]} litres")
    }

    private fun pump(litre: Int): Int = throw PressError("vat ${env["ID"]} took $litre of ${env["AMOUNT"]} litres")

    fun label(): Int {
        val words: Map<String, String?> = mapOf("red" to null)
        return when (which) {
            "label" -> words.getValue(env.getValue("NAME")).hashCode()
            "label.type" -> words["red"]!!.length
            "label.func" -> runCatching { env.getValue("TEXT").toInt() }.getOrThrow()
            else -> (words as Any as List<*>).size
        }
    }

    fun sell() = sequence {
        yield(1)
        try {
            requireNotNull(if (which == "sell.cause") null else env["NAME"])
            env.getValue("TEXT").single { it == '\u0000' }
        } catch (error: RuntimeException) {
            throw PressError("bottle ${env["CODE"]} stays with ${env["MAIL"]}", error)
        }
    }.toList()
}

fun main(arguments: Array<String>) {
    val vat = Vat(arguments[0])
    when (arguments[0].substringBefore('.')) {
        "fill" -> vat.fill(listOf(System.getenv("AMOUNT").toInt(), 2))
        "label" -> vat.label()
        else -> vat.sell()
    }
}
