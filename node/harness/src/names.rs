//! Names for peers that people can tell apart.

const ANIMALS: [&str; 40] = [
    "ant", "bat", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay", "koi", "lynx", "mole", "newt", "owl", "pug",
    "quail", "ray", "seal", "toad", "urial", "vole", "wren", "xerus", "yak", "zebu", "ape", "bee", "cow", "doe", "elk",
    "frog", "goat", "hare", "ide", "kite", "lark", "moth", "nase", "orca",
];

/// The name of peer `index`: an animal, with a number from the second time around.
pub fn name(index: usize) -> String {
    let (lap, animal) = (index / ANIMALS.len(), ANIMALS[index % ANIMALS.len()]);
    if lap == 0 { animal.to_owned() } else { format!("{animal}{}", lap + 1) }
}
