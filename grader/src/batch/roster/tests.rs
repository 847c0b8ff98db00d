//! Lists as schools write them.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn found(names: &[&str]) -> Found {
    let folders = names.iter().map(|n| Folder { name: (*n).to_owned(), path: PathBuf::from(n) }).collect();
    Found { folders, ..Found::default() }
}

fn keys(put: &Put) -> Vec<(&str, bool)> {
    put.entries.iter().map(|e| (e.key.as_str(), e.folder.is_some())).collect()
}

#[test]
fn separators_and_encodings() {
    let wanted = Roster {
        columns: vec!["Nom".into(), "Prénom".into()],
        rows: vec![vec!["Œuf, Jean".into(), "Zoé".into()]],
    };
    for text in [
        "Nom;Prénom\nŒuf, Jean;Zoé\n",
        "Nom,Prénom\r\n\r\n\"Œuf, Jean\", Zoé \r\n",
        "Nom\tPrénom\nŒuf, Jean\tZoé",
    ] {
        assert_eq!(Roster::read(text.as_bytes()).as_ref(), Ok(&wanted), "{text}");
        assert_eq!(Roster::read(format!("\u{feff}{text}").as_bytes()).as_ref(), Ok(&wanted));
        let (windows, _, lossy) = encoding_rs::WINDOWS_1252.encode(text);
        assert!(!lossy);
        assert_eq!(Roster::read(&windows).as_ref(), Ok(&wanted));
        let utf16: Vec<u8> =
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(Roster::read(&utf16).as_ref(), Ok(&wanted));
    }
    assert!(Roster::read(b"\n;;\n").is_err());
    let odd = Roster::read(b"a;a;;b\n1\n1;2;3;4;5\n").expect("read");
    assert_eq!(odd.columns, ["a", "a (2)", "colonne 3", "b", "colonne 5"]);
    assert!(odd.rows.iter().all(|row| row.len() == 5));
}

#[test]
fn nobody_is_lost() {
    let roster = Roster::read(
        "nom;login;groupe\nMartin;zmartin;A\nDurand;pdurand;A\nPetit;lpetit;B\nPetit;lpetit;B\n".as_bytes(),
    )
    .expect("read");
    let put = put_together(&found(&["inconnu", "pdurand", "zmartin"]), Some(&roster));
    assert_eq!(keys(&put), [("zmartin", true), ("pdurand", true), ("lpetit", false), ("inconnu", true)]);
    assert!(
        put.told.iter().any(|t| t.contains("« login »") && t.contains("2 trouvés pour 3 lignes")),
        "{:?}",
        put.told
    );
    assert!(put.told.iter().any(|t| t.contains("deux fois dans la liste")));
    assert_eq!(put.entries[0].identity["nom"], "Martin");
    let without = put_together(&found(&["b", "a"]), None);
    assert_eq!(keys(&without), [("b", true), ("a", true)]);
}

#[test]
fn folders_of_classroom_and_of_moodle() {
    let roster =
        Roster::read("Prénom,Nom de famille,GitHub\nZoé,Martin,zoe-m42\nPaul,Martin,pmartin\n".as_bytes())
            .expect("read");
    let put = put_together(&found(&["tp01-pmartin", "tp01-zoe-m42"]), Some(&roster));
    assert_eq!(
        put.entries.iter().map(|e| e.folder.as_ref().map(|f| f.name.as_str())).collect::<Vec<_>>(),
        [Some("tp01-zoe-m42"), Some("tp01-pmartin")]
    );
    let roster = Roster::read("Nom complet;note\nZOE MARTIN;\nPaul Durand;\n".as_bytes()).expect("read");
    let moodle =
        found(&["Paul Durand_4321_assignsubmission_file_", "Zoé Martin_1234_assignsubmission_file_"]);
    let put = put_together(&moodle, Some(&roster));
    assert!(put.entries.iter().all(|e| e.folder.is_some()), "{put:?}");
    assert_eq!(put.entries.len(), 2);
}

#[test]
fn a_folder_for_two() {
    let roster = Roster::read(b"nom;dossier\nA;groupe1\nB;groupe1\nC;groupe2\n").expect("read");
    let put = put_together(&found(&["groupe1"]), Some(&roster));
    assert_eq!(put.entries[0].graded_as, put.entries[1].graded_as);
    assert_ne!(put.entries[0].key, put.entries[1].key);
    assert_eq!(put.entries[2].folder, None);
}

proptest! {
    /// Every row and every folder is in the class, under keys that differ.
    #[test]
    fn whatever_the_list(
        rows in prop::collection::vec(("\\PC{0,12}", "[a-d]{0,2}", "\\PC{0,8}"), 1..12),
        names in prop::collection::btree_set("[a-dA-D]{1,2}|\\PC{1,8}", 0..8),
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["x", "y", "z"]).expect("written");
        for (a, b, c) in &rows {
            writer.write_record([a, b, c]).expect("written");
        }
        let text = writer.into_inner().expect("written");
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = found(&names);
        if let Ok(roster) = Roster::read(&text) {
            let put = put_together(&found, Some(&roster));
            let keys: HashSet<String> = put.entries.iter().map(|e| e.key.to_lowercase()).collect();
            prop_assert_eq!(keys.len(), put.entries.len());
            for folder in &found.folders {
                prop_assert!(put.entries.iter().any(|e| e.folder.as_ref() == Some(folder)));
            }
            let distinct: HashSet<&Vec<String>> = roster.rows.iter().collect();
            prop_assert_eq!(put.entries.iter().filter(|e| !e.identity.is_empty()).count(), distinct.len());
        }
    }
}
