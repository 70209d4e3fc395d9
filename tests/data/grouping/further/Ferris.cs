// Turns wheels (.NET, nothing else).
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;

namespace Freight.Dock
{
    public class StuckException : Exception { public StuckException(string message, Exception inner = null) : base(message, inner) { } }
    public class WindException : Exception { public WindException(string message, Exception inner = null) : base(message, inner) { } }

    public static class Wheel
    {
        static string Env(string name) { return Environment.GetEnvironmentVariable(name); }

        static void Turn(string which)
        {
            var text = string.Format("cabin {0} of {1}", Env("ID"), Env("MAIL"));
            if (which == "turn.type") throw new WindException(text + " swings by " + Env("AMOUNT") + " m");
            if (which == "turn.msg") throw new StuckException(text + " does not open");
            throw new StuckException(text + " swings by " + Env("AMOUNT") + " m");
        }

        static void Spin(string which) { Turn(which); }

        static int Count(string which)
        {
            var seats = new Dictionary<string, int>();
            if (which == "count") return seats[Env("CODE")];
            if (which == "count.null") return ((string)null).Length;
            if (which == "count.parse") return int.Parse(Env("TEXT"));
            if (which == "count.many") return new[] { 1, 2 }.Single(n => n > 0);
            if (which == "count.cast") return (int)(object)Env("TEXT");
            if (which == "count.file") return File.ReadAllLines(Env("FILE")).Length;
            if (which == "count.index") return new List<int>()[int.Parse(Env("AMOUNT"))];
            return (int)Enum.Parse(typeof(DayOfWeek), Env("NAME"));
        }

        static async Task<int> Ride(string which)
        {
            await Task.Yield();
            try { return await Task.Run(() => Count(which == "ride.cause" ? "count.parse" : "count")); }
            catch (Exception error) { throw new StuckException("ride " + Env("UUID") + " ended early", error); }
        }

        public static void Main(string[] args)
        {
            var which = args[0];
            if (which == "turn.func") Spin(which);
            else if (which.StartsWith("turn")) Turn(which);
            else if (which.StartsWith("count")) Count(which);
            else Ride(which).Wait();
        }
    }
}
