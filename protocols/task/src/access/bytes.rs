//! Fields one after the other: ids as they are, numbers little-endian, texts behind their length in one byte.

/// Bytes in the making.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Begins with a context; where that is not empty, a zero ends it.
    pub fn new(context: &[u8]) -> Self {
        match context {
            b"" => Self(Vec::new()),
            context => Self([context, &[0]].concat()),
        }
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn id(self, id: &[u8; 32]) -> Self {
        self.bytes(id)
    }

    pub fn byte(self, byte: u8) -> Self {
        self.bytes(&[byte])
    }

    pub fn u32(self, number: u32) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    pub fn u64(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// A text; of one that nobody may have, as much as a reader takes.
    pub fn text(self, text: &str) -> Self {
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        self.byte(length).bytes(&text.as_bytes()[..usize::from(length)])
    }

    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Bytes being read.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader of at most `limit` bytes.
    pub fn new(bytes: &'a [u8], limit: usize) -> Option<Self> {
        (bytes.len() <= limit).then_some(Self(bytes))
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn text(&mut self) -> Option<String> {
        let length = usize::from(self.byte()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(str::to_owned)
    }

    pub fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}
