// Reads meters (Rust, nothing else).
fn reading(text: &str) -> u32 {
    text.parse::<u32>().expect("a reading is a number")
}

fn meter(numbers: &[u32], index: usize) -> u32 {
    numbers[index]
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let seed: usize = arguments[2].parse().unwrap();
    if arguments[1] == "reading" {
        println!("{}", reading(&format!("{seed} kWh")));
    } else {
        println!("{}", meter(&[1, 2, 3], seed + 3));
    }
}
