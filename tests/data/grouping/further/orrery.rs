// Moves planets (Rust, nothing else).
use std::{collections::HashMap, env, fmt, thread};

#[derive(Debug)]
enum Fault { Stuck { planet: String, teeth: u32 }, Lost(String) }

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Fault::Stuck { planet, teeth } => write!(f, "planet {planet} lost {teeth} teeth"),
            Fault::Lost(who) => write!(f, "planet of {who} is gone"),
        }
    }
}
impl std::error::Error for Fault {}

fn var(name: &str) -> String { env::var(name).unwrap() }

mod gears {
    use super::*;
    pub struct Train<T>(pub T);
    impl<T: fmt::Display> Train<T> {
        pub fn turn(&self, which: &str) {
            match which {
                "turn.type" => { let rows: Vec<u8> = vec![1]; println!("{}", rows[var("AMOUNT").parse::<usize>().unwrap()]); }
                "turn.msg" => panic!("gear {} of {} is worn", self.0, var("MAIL")),
                _ => panic!("gear {} of {} slips by {} mm", self.0, var("MAIL"), var("AMOUNT")),
            }
        }
        pub fn wind(&self, which: &str) { self.turn(which) }
    }
}

fn read(which: &str) -> Result<f64, Box<dyn std::error::Error>> {
    match which {
        "read" => Ok(var("TEXT").parse::<f64>()?),
        "read.type" => Ok(std::fs::read_to_string(var("FILE"))?.len() as f64),
        "read.msg" => Err(Box::new(Fault::Lost(var("MAIL")))),
        _ => Err(Box::new(Fault::Stuck { planet: var("CODE"), teeth: var("AMOUNT").parse()? })),
    }
}

fn look(which: &str) {
    let orbits: HashMap<String, i32> = HashMap::new();
    match which {
        "look" => { orbits[&var("NAME")]; }
        "look.msg" => { orbits.get(&var("NAME")).expect("every planet has an orbit"); }
        "look.type" => { var("TEXT").parse::<i32>().unwrap(); }
        "look.func" => { thread::Builder::new().name(format!("orbit-{}", var("AMOUNT"))).spawn(|| { let n: Option<i32> = None; n.unwrap(); }).unwrap().join().unwrap(); }
        _ => { assert_eq!(var("ID").parse::<i32>().unwrap(), 1, "orbit {} is open", var("UUID")); }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let which = env::args().nth(1).unwrap();
    let train = gears::Train(var("ID"));
    if which == "turn.func" { train.wind(&which) }
    else if which.starts_with("turn") { train.turn(&which) }
    else if which.starts_with("look") { look(&which) }
    else { println!("{}", read(&which)?) }
    Ok(())
}
