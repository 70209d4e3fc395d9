// Watches turbines (Rust, nothing else).
use std::collections::HashMap;
use std::env::var;
use std::fmt;

#[derive(Debug)]
enum BladeError {
    Broken { id: String, metres: u32 },
    Frozen(String),
}

impl fmt::Display for BladeError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "blade trouble")
    }
}
impl std::error::Error for BladeError {}

fn env(name: &str) -> String {
    var(name).unwrap()
}

fn blade(which: &str) -> Result<u32, BladeError> {
    match which {
        "turn.type" => Err(BladeError::Frozen(env("ID"))),
        _ => Err(BladeError::Broken { id: env("ID"), metres: env("AMOUNT").parse().unwrap() }),
    }
}

struct Turbine<'a> {
    which: &'a str,
}

impl<'a> Turbine<'a> {
    fn turn(&self) -> u32 {
        if self.which == "turn.msg" {
            return blade(self.which).expect("the blade was checked");
        }
        blade(self.which).unwrap()
    }

    fn stop(&self) -> u32 {
        blade(self.which).unwrap()
    }

    fn power(&self) -> u32 {
        let names: HashMap<String, u32> = HashMap::new();
        match self.which {
            "power.type" => names[&env("NAME")],
            "power.msg" => *[1, 2, 3].iter().find(|one| **one > 3).expect("one is above three"),
            "power.func" => env("TEXT").parse::<u32>().map_err(|error| format!("{error:?}")).unwrap(),
            "power.div" => 7 / (names.len() as u32),
            "power.open" => std::fs::read_to_string(env("FILE")).unwrap().len() as u32,
            _ => [1, 2, 3][env("AMOUNT").parse::<usize>().unwrap() + 3],
        }
    }
}

fn main() {
    let which = std::env::args().nth(1).unwrap();
    let family = which.split('.').next().unwrap().to_string();
    let run = move || {
        let turbine = Turbine { which: &which };
        match which.as_str() {
            "turn.func" => turbine.stop(),
            _ if which.starts_with("turn") => turbine.turn(),
            _ if which.starts_with("power") => turbine.power(),
            "alarm.msg" => panic!("turbine {} lost its mast near {}", env("ID"), env("HOST")),
            _ => panic!("turbine {} turns {} times too fast since {}", env("ID"), env("AMOUNT"), env("WHEN")),
        }
    };
    if family == "power" {
        let _ = std::thread::Builder::new().name(format!("gauge-{}", env("ID"))).spawn(run).unwrap().join();
    } else {
        run();
    }
}
