//! Which submissions of a class a batch grades.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

/// The submissions of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// All of them.
    #[default]
    All,
    /// Those of these keys.
    Keys(BTreeSet<String>),
    /// One part of several, the same on every machine: by the key under which a folder is graded.
    Shard {
        /// From 1 to `of`.
        index: u32,
        /// How many parts.
        of: u32,
    },
}

impl Part {
    /// Reads `2/5`. `Err` is French.
    ///
    /// # Errors
    ///
    /// It is not a part of a whole.
    pub fn shard(text: &str) -> Result<Self, String> {
        let wrong = || "une part s'écrit 2/5 : la deuxième de cinq".to_owned();
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let (index, of): (u32, u32) = (index.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
        if (1..=of).contains(&index) && of <= 1_000 { Ok(Self::Shard { index, of }) } else { Err(wrong()) }
    }

    /// True when the folder graded as `key` belongs to it.
    pub fn holds(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::Keys(keys) => keys.contains(key),
            Self::Shard { index, of } => {
                let digest = Sha256::digest(key.as_bytes());
                let number = digest.iter().take(8).fold(0_u64, |n, byte| (n << 8) | u64::from(*byte));
                number % u64::from(*of) == u64::from(*index - 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts() {
        assert_eq!(Part::shard("2/5"), Ok(Part::Shard { index: 2, of: 5 }));
        for wrong in ["0/5", "6/5", "2", "a/b", "1/0", "-1/2", "1/100000"] {
            assert!(Part::shard(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_key_is_in_one_part(key in "\\PC{0,20}", of in 1_u32..20) {
            let parts = (1..=of).filter(|index| Part::Shard { index: *index, of }.holds(&key)).count();
            prop_assert_eq!(parts, 1);
        }
    }
}
