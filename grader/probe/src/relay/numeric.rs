//! The binary format of PostgreSQL's `numeric`: base-10 000 digits.

/// Moves the whole part by `change`; nothing when the number is not positive, is not finite, has more than 18 digits
/// before the point, or when `change` gives nothing.
pub fn shift(bytes: &[u8], change: impl FnOnce(i64) -> Option<i64>) -> Option<Vec<u8>> {
    let mut words = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let (count, weight, sign, scale) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let digits: Vec<u16> = words.collect();
    // A negative weight reads here as a very large one.
    if sign != 0 || weight > 3 || digits.len() != usize::from(count) || bytes.len() != 8 + 2 * digits.len() {
        return None;
    }
    let before = usize::from(weight) + 1;
    let mut whole = 0;
    for place in 0..before {
        let digit = digits.get(place).copied().unwrap_or(0);
        if digit > 9_999 {
            return None;
        }
        whole = whole * 10_000 + i64::from(digit);
    }
    let mut moved = change(whole)?;
    let mut all = vec![0; before];
    for slot in all.iter_mut().rev() {
        *slot = u16::try_from(moved.rem_euclid(10_000)).ok()?;
        moved = moved.div_euclid(10_000);
    }
    // A whole part that has grown past its digits, or lost its first one, would need another weight.
    if moved != 0 || all[0] == 0 {
        return None;
    }
    all.extend(digits.iter().skip(before));
    while all.last() == Some(&0) {
        all.pop();
    }
    let head = [u16::try_from(all.len()).ok()?, weight, sign, scale];
    Some(head.iter().chain(&all).flat_map(|word| word.to_be_bytes()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn the_fraction_stays_and_zeros_are_stripped() {
        // 17 6368 8273 . 1234 56
        let now = coded(&[5, 2, 0, 6, 17, 6368, 8273, 1234, 5600]);
        let moved = shift(&now, |whole| (whole == 1_763_688_273).then_some(1_889_918_673));
        assert_eq!(moved, Some(coded(&[5, 2, 0, 6, 18, 8991, 8673, 1234, 5600])));
        // 17 6368 0000, written with two digits.
        let round = coded(&[2, 2, 0, 0, 17, 6368]);
        assert_eq!(shift(&round, |whole| Some(whole + 1)), Some(coded(&[3, 2, 0, 0, 17, 6368, 1])));
        assert_eq!(shift(&round, Some), Some(round));
    }

    #[test]
    fn what_is_not_a_plain_number_stays() {
        for words in [
            &[1, 0, 0x4000, 0, 5][..],
            &[0, 0, 0xC000, 0],
            &[2, 0, 0, 0, 5],
            &[1, 0xFFFF, 0, 4, 5],
            &[1, 0, 0, 0, 10_000],
        ] {
            assert_eq!(shift(&coded(words), Some), None, "{words:?}");
        }
        assert_eq!(shift(&coded(&[1, 0, 0, 0, 9_999]), |whole| Some(whole + 1)), None);
        assert_eq!(shift(b"", Some), None);
    }
}
