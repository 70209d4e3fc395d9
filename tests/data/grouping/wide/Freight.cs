// Ships boxes (.NET).
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;

namespace Freight.Dock
{
    public class CraneException : Exception
    {
        public CraneException(string message, Exception inner = null) : base(message, inner) { }
    }

    public class RopeException : Exception
    {
        public RopeException(string message) : base(message) { }
    }

    public class Crane<TBox>
    {
        readonly string which;
        public Crane(string which) { this.which = which; }
        static string Env(string name) { return Environment.GetEnvironmentVariable(name); }

        public void Lift(TBox box, string sku)
        {
            if (which == "lift.type") throw new RopeException("Box " + sku + " weighs " + Env("AMOUNT") + " kg");
            if (which == "lift.msg") throw new CraneException("Box " + sku + " fell at " + Env("WHEN"));
            throw new CraneException("Box " + sku + " weighs " + Env("AMOUNT") + " kg");
        }

        public void Swing(TBox box, string sku)
        {
            throw new CraneException("Box " + sku + " weighs " + Env("AMOUNT") + " kg");
        }

        public int Count(List<string> boxes)
        {
            string missing = null;
            if (which == "count.type") return int.Parse(Env("TEXT"));
            if (which == "count.msg") return new Dictionary<string, int>()[Env("NAME")];
            if (which == "count.func") return Tally(boxes, missing);
            if (which == "count.arg") throw new ArgumentOutOfRangeException("boxes", Env("AMOUNT"), "Too many of them");
            return missing.Length;
        }

        int Tally(List<string> boxes, string missing)
        {
            return boxes.Select(each => missing.Length).Sum();
        }

        public async Task Sail(string ship)
        {
            await Task.Delay(1);
            await Load(ship);
        }

        async Task<int> Load(string ship)
        {
            await Task.Yield();
            try
            {
                if (which == "sail.cause") return int.Parse(Env("TEXT"));
                return new[] { 1 }.First(one => one > 1);
            }
            catch (Exception error)
            {
                throw new CraneException("Ship " + ship + " waits for " + Env("MAIL"), error);
            }
        }

        public int Park(string ship)
        {
            Parallel.ForEach(new[] { 1, 2 }, one => Moor(ship, one));
            return 0;
        }

        void Moor(string ship, int one)
        {
            if (which == "park.cause") throw new RopeException("Rope " + one + " of " + ship + " is torn");
            throw new CraneException("Ship " + ship + " is too long for berth " + one);
        }
    }

    public static class Program
    {
        public static void Main(string[] arguments)
        {
            string which = arguments[0];
            string ship = Environment.GetEnvironmentVariable("CODE");
            var crane = new Crane<int>(which);
            try
            {
                if (which == "lift.func") crane.Swing(1, ship);
                else if (which.StartsWith("lift")) crane.Lift(1, ship);
                else if (which.StartsWith("count")) crane.Count(new List<string> { "a" });
                else if (which.StartsWith("park")) crane.Park(ship);
                else crane.Sail(ship).Wait();
            }
            catch (Exception error)
            {
                Console.WriteLine(error);
            }
        }
    }
}
