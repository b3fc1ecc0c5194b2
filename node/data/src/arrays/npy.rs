//! One array of NumPy: a header, which is a dictionary in the notation of Python, and the values after it.

use std::io::{self, Read};
use std::sync::Arc;

use half::f16;

use super::MAX_BYTES;
use super::names::Names;
use crate::Values;

/// What every such file starts with.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header. Those of NumPy have 118 bytes.
const MAX_HEADER: usize = 1 << 16;
/// Most bytes of one value: a word of 1,024 letters.
const MAX_ITEM: usize = 4096;
/// Bytes read at a time, at least.
const CHUNK: usize = 1 << 16;

/// An array, read up to the end of its header.
#[derive(Debug)]
pub(super) struct Npy<R> {
    /// Its sizes, none of which is 0.
    pub(super) shape: Vec<usize>,
    kind: Kind,
    /// Product of the sizes.
    count: usize,
    content: R,
}

/// Of which kind the values are.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Kind {
    /// As NumPy writes it: `b u i f` for numbers, `S U` for words.
    letter: char,
    /// Bytes of one value.
    size: usize,
    /// Whether the first byte is the highest.
    big: bool,
}

/// One value.
enum Number {
    Whole(i128),
    Real(f64),
}

impl<R: Read> Npy<R> {
    /// Reads the header of an array whose header and values have `length` bytes.
    ///
    /// # Errors
    /// It is no array, one of a kind that is not read, or it is longer or shorter than its header says; in words.
    pub(super) fn open(mut content: R, length: u64) -> Result<Self, String> {
        let short = |error: io::Error| format!("it ends within its header ({error})");
        let mut start = [0; 8];
        content.read_exact(&mut start).map_err(short)?;
        if !start.starts_with(MAGIC) {
            return Err("it is no array of NumPy".to_owned());
        }
        let mut size = [0; 4];
        let sized = if start[6] == 1 { 2 } else { 4 };
        content.read_exact(&mut size[..sized]).map_err(short)?;
        let size = u32::from_le_bytes(size) as usize;
        if size > MAX_HEADER {
            return Err(format!("its header claims {size} bytes, more than {MAX_HEADER}"));
        }
        let mut header = vec![0; size];
        content.read_exact(&mut header).map_err(short)?;
        let header = String::from_utf8_lossy(&header);
        let Header { kind, fortran, shape } = Header::parse(&header)?;
        let kind = Kind::parse(&kind)?;
        let claimed = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        let claimed = claimed.and_then(|count| count.checked_mul(kind.size).map(|bytes| (count, bytes)));
        let follow = length.saturating_sub((8 + sized + size) as u64);
        let Some((count, _)) = claimed.filter(|(_, bytes)| *bytes as u64 == follow) else {
            return Err(format!(
                "its header claims shape {shape:?} of {} bytes each, but {follow} bytes follow",
                kind.size
            ));
        };
        if count == 0 {
            return Err(format!("it is empty: its shape is {shape:?}"));
        }
        if fortran && shape.iter().filter(|size| **size > 1).count() > 1 {
            let mend = "save it with numpy.ascontiguousarray(...)";
            return Err(format!("its values lie column by column (Fortran order), and are read row by row; {mend}"));
        }
        Ok(Self { shape, kind, count, content })
    }

    /// All values as numbers, and the largest without its sign. Shapes: answer `[product of shape]`.
    ///
    /// # Errors
    /// They are words, are too many, or cannot be read; in words.
    pub(super) fn values(mut self) -> Result<(Values, f32), String> {
        let Kind { letter, size, .. } = self.kind;
        if matches!(letter, 'S' | 'U') {
            return Err("its values are words, and inputs are numbers".to_owned());
        }
        let bytes = matches!((letter, size), ('u' | 'b', 1));
        let needed = self.count as u64 * if bytes { 1 } else { 4 };
        if needed > MAX_BYTES {
            return Err(format!("its {} values need more than {} GiB", self.count, MAX_BYTES >> 30));
        }
        if bytes {
            let mut values = vec![0; self.count];
            self.content.read_exact(&mut values).map_err(|error| error.to_string())?;
            self.end()?;
            let most = values.iter().max().map_or(0.0, |most| f32::from(*most));
            return Ok((Values::Bytes(Arc::new(values)), most));
        }
        let (mut values, mut most, kind) = (Vec::with_capacity(self.count), 0f32, self.kind);
        self.each(|item| {
            let value = match kind.number(item) {
                Number::Whole(value) => value as f32,
                Number::Real(value) => value as f32,
            };
            most = most.max(value.abs());
            values.push(value);
            Ok(())
        })?;
        Ok((Values::Floats(Arc::new(values)), most))
    }

    /// All values as names of classes, one a row; of rows of 0 with one 1, where that stands.
    ///
    /// # Errors
    /// They are neither whole numbers nor words, are no one label a row, or cannot be read; in words.
    pub(super) fn names(self) -> Result<Names, String> {
        let wide = match self.shape[..] {
            [_] => 1,
            [_, wide] => wide,
            _ => return Err(format!("its shape is {:?}; labels are one a row", self.shape)),
        };
        let (mut names, mut row, kind) = (Names::default(), Vec::new(), self.kind);
        self.each(|item| {
            let name = kind.name(item)?;
            if wide == 1 {
                names.push(&name);
                return Ok(());
            }
            row.push(name);
            if row.len() == wide {
                let hot = row.iter().position(|name| name == "1");
                let rest = row.iter().filter(|name| *name == "0").count();
                let at = hot.filter(|_| rest == wide - 1).ok_or_else(|| {
                    format!("its rows have {wide} numbers; a label is one number or word, or one 1 among 0s")
                })?;
                names.push(&at.to_string());
                row.clear();
            }
            Ok(())
        })?;
        Ok(names)
    }

    /// Calls for every value in order, and checks that no bytes follow the last.
    fn each(mut self, mut call: impl FnMut(&[u8]) -> Result<(), String>) -> Result<(), String> {
        let size = self.kind.size;
        let mut buffer = vec![0; CHUNK.next_multiple_of(size)];
        let mut left = self.count;
        while left > 0 {
            let now = left.min(buffer.len() / size);
            let bytes = &mut buffer[..now * size];
            self.content.read_exact(bytes).map_err(|error| error.to_string())?;
            bytes.chunks_exact(size).try_for_each(&mut call)?;
            left -= now;
        }
        self.end()
    }

    /// The check sum of a packed array is checked at its end.
    fn end(&mut self) -> Result<(), String> {
        match self.content.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err("more bytes follow than its header claims".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Kind {
    /// From `<f4` and the like.
    fn parse(text: &str) -> Result<Self, String> {
        let refused = || {
            let taken = "whole numbers and fractions of 1 to 8 bytes, booleans, and words for labels (U, S)";
            format!("its values are of kind {text:?}; taken are {taken}")
        };
        let bare = text.trim_start_matches(['<', '>', '|', '=']);
        let big = text.starts_with('>') || text.starts_with('=') && cfg!(target_endian = "big");
        let letter = bare.chars().next().ok_or_else(refused)?;
        if letter == 'O' {
            let mend = "save numbers as numbers, and words with x.astype(str)";
            return Err(format!("its values are objects of Python (pickle), which may hold programs; {mend}"));
        }
        let size: usize = bare[letter.len_utf8()..].parse().map_err(|_| refused())?;
        let size = if letter == 'U' { size.saturating_mul(4) } else { size };
        match (letter, size) {
            ('b', 1) | ('u' | 'i', 1 | 2 | 4 | 8) | ('f', 2 | 4 | 8) | ('S' | 'U', 1..=MAX_ITEM) => {
                Ok(Self { letter, size, big })
            }
            _ => Err(refused()),
        }
    }

    /// The number that these bytes are. Shapes: `item` is `[size]`.
    fn number(self, item: &[u8]) -> Number {
        let mut word = [0; 8];
        match self.big {
            false => word.iter_mut().zip(item).for_each(|(to, from)| *to = *from),
            true => word.iter_mut().zip(item.iter().rev()).for_each(|(to, from)| *to = *from),
        }
        let unsigned = u64::from_le_bytes(word);
        match (self.letter, self.size) {
            ('f', 2) => Number::Real(f16::from_bits(unsigned as u16).to_f64()),
            ('f', 4) => Number::Real(f64::from(f32::from_bits(unsigned as u32))),
            ('f', _) => Number::Real(f64::from_bits(unsigned)),
            ('i', size) => {
                let above = 64 - 8 * size.min(8) as u32;
                Number::Whole(i128::from((unsigned << above).cast_signed() >> above))
            }
            _ => Number::Whole(i128::from(unsigned)),
        }
    }

    /// The class that these bytes name.
    fn name(self, item: &[u8]) -> Result<String, String> {
        let letters = match self.letter {
            'S' => String::from_utf8(item.to_vec()).ok(),
            'U' => item.chunks_exact(4).map(|letter| self.letter(letter)).collect(),
            _ => {
                return match self.number(item) {
                    Number::Whole(value) => Ok(value.to_string()),
                    Number::Real(value) if value.fract() == 0.0 && value.abs() < 1e15 => Ok((value as i64).to_string()),
                    Number::Real(value) => Err(format!("a label is {value}; labels are whole numbers or words")),
                };
            }
        };
        let letters = letters.ok_or("a label is no text")?;
        match letters.trim_end_matches('\0') {
            "" => Err("a label is empty".to_owned()),
            name => Ok(name.to_owned()),
        }
    }

    fn letter(self, bytes: &[u8]) -> Option<char> {
        let bytes = *bytes.first_chunk()?;
        char::from_u32(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }
}

/// What a header says.
#[derive(Debug, Default, PartialEq)]
struct Header {
    kind: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// From `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("its header is not one of NumPy: {:?}", text.chars().take(80).collect::<String>());
        let (mut header, mut seen, mut rest) = (Self::default(), 0, Rest(text));
        rest.take("{").ok_or_else(wrong)?;
        while rest.take("}").is_none() {
            let key = rest.word().ok_or_else(wrong)?;
            rest.take(":").ok_or_else(wrong)?;
            match key {
                "descr" if rest.take("[").is_some() => {
                    return Err("it is a table of named fields; save an array of one kind of numbers".to_owned());
                }
                "descr" => rest.word().ok_or_else(wrong)?.clone_into(&mut header.kind),
                "fortran_order" => {
                    header.fortran = rest.take("True").is_some();
                    if !header.fortran {
                        rest.take("False").ok_or_else(wrong)?;
                    }
                }
                "shape" => header.shape = rest.sizes().ok_or_else(wrong)?,
                _ => return Err(wrong()),
            }
            seen += 1;
            if rest.take(",").is_none() && !rest.0.trim_start().starts_with('}') {
                return Err(wrong());
            }
        }
        if seen == 3 { Ok(header) } else { Err(wrong()) }
    }
}

/// What is not read yet of a header.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn take(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(token)?;
        Some(())
    }

    /// Text in quotes.
    fn word(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let (word, rest) = text[1..].split_once(quote)?;
        self.0 = rest;
        Some(word)
    }

    /// Numbers in brackets. An L after them is from Python 2.
    fn sizes(&mut self) -> Option<Vec<usize>> {
        self.take("(")?;
        let (inside, rest) = self.0.split_once(')')?;
        self.0 = rest;
        let numbers = inside.split(',').map(|number| number.trim().trim_end_matches('L'));
        numbers.filter(|number| !number.is_empty()).map(|number| number.parse().ok()).collect()
    }
}
