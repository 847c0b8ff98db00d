//! Fingerprints of a list of tokens.

/// Tokens of a fingerprint: shorter passages are chance.
const GRAM: usize = 6;
/// Of so many fingerprints in a row one is kept: a shared passage of `GRAM + WINDOW - 1` tokens is always seen.
const WINDOW: usize = 4;

/// A token: what it is, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub hash: u64,
    /// Line, from 1.
    pub line: usize,
}

/// A fingerprint, and the lines of its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Print {
    /// What it is.
    pub hash: u64,
    /// Index of the file.
    pub file: usize,
    /// Lines, from 1.
    pub lines: Vec<usize>,
}

/// The same for ever, on every machine (FNV-1a).
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Every run of tokens.
pub(super) fn grams(tokens: &[Token]) -> Vec<u64> {
    tokens.windows(GRAM).map(gram).collect()
}

fn gram(tokens: &[Token]) -> u64 {
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.hash.to_le_bytes()).collect();
    // FNV mixes the low bits of short inputs poorly; the least of a window must be as good as drawn.
    let sum = hash(&bytes);
    (sum ^ (sum >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The winnowed fingerprints of a file: the least of each window, the last one of equals, each once.
pub(super) fn prints(tokens: &[Token], file: usize) -> Vec<Print> {
    let grams = grams(tokens);
    let mut kept: Vec<usize> = Vec::new();
    for from in 0..grams.len().saturating_sub(WINDOW - 1).max(usize::from(!grams.is_empty())) {
        let window = from..(from + WINDOW).min(grams.len());
        if let Some(at) = window.min_by_key(|at| (grams[*at], std::cmp::Reverse(*at)))
            && kept.last() != Some(&at)
        {
            kept.push(at);
        }
    }
    let print = |at: usize| {
        let mut lines: Vec<usize> = tokens[at..at + GRAM].iter().map(|token| token.line).collect();
        lines.dedup();
        Print { hash: grams[at], file, lines }
    };
    kept.into_iter().map(print).collect()
}
