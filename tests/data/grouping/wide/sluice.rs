// Opens sluices (Rust; its errors print their causes as the usual error libraries do).
use std::env::var;
use std::fmt;

struct Chain {
    messages: Vec<String>,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.messages[0])?;
        if self.messages.len() > 1 {
            write!(f, "\n\nCaused by:")?;
        }
        for (number, message) in self.messages.iter().skip(1).enumerate() {
            match self.messages.len() {
                2 => write!(f, "\n    {message}")?,
                _ => write!(f, "\n    {number}: {message}")?,
            }
        }
        Ok(())
    }
}

type Result<T> = std::result::Result<T, Chain>;

fn env(name: &str) -> String {
    var(name).unwrap()
}

fn within<T, E: fmt::Display>(result: std::result::Result<T, E>, message: String) -> Result<T> {
    result.map_err(|error| Chain { messages: vec![message, error.to_string()] })
}

fn level(which: &str) -> Result<usize> {
    let message = format!("level of sluice {} cannot be read", env("ID"));
    match which {
        "open.cause" => within(env("TEXT").parse::<usize>(), message),
        _ => within(std::fs::read_to_string(env("FILE")).map(|text| text.len()), message),
    }
}

fn open(which: &str) -> Result<usize> {
    let gate = format!("gate {} stays shut for {}", env("CODE"), env("MAIL"));
    match which {
        "shut" => Err(Chain { messages: vec![format!("sluice {} has been rusty since {}", env("ID"), env("DAY"))] }),
        "shut.msg" => Err(Chain { messages: vec![format!("sluice {} is operated from {}", env("ID"), env("HOST"))] }),
        "level" => level(which),
        "level.msg" => within(env("TEXT").parse::<f64>().map(|flow| flow as usize), format!("flow of sluice {} is no number", env("ID"))),
        _ => level(which).map_err(|mut chain| {
            let open = if which == "open.msg" { format!("gate {} was opened by {}", env("CODE"), env("MAIL")) } else { gate };
            chain.messages.insert(0, open);
            chain
        }),
    }
}

fn main() -> Result<()> {
    println!("{}", open(&std::env::args().nth(1).unwrap())?);
    Ok(())
}
