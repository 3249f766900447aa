//! What atoms and restraints must be like before anything moves.
use super::{Atoms, Contacts, Restraints};
use crate::error::{Error, Result, same_length};

pub(super) fn lengths(atoms: &Atoms, restraints: &Restraints, contacts: &Contacts) -> Result<()> {
    let pairs = restraints.pairs.len();
    let lengths = [
        (
            "atoms and their hold differ in length",
            atoms.xyz.len(),
            atoms.hold.len(),
        ),
        (
            "atoms and weights differ in length",
            atoms.xyz.len(),
            atoms.weights.len(),
        ),
        ("pairs and ranges differ in length", pairs, restraints.range.len()),
        (
            "pairs and stiffness differ in length",
            pairs,
            restraints.stiffness.len(),
        ),
        (
            "corners and volumes differ in length",
            restraints.corners.len(),
            restraints.volume.len(),
        ),
        (
            "turns and their ranges differ in length",
            restraints.turns.len(),
            restraints.turn_range.len(),
        ),
        (
            "contacts and their reaches differ in length",
            contacts.atoms.len(),
            contacts.reach.len(),
        ),
    ];
    for (what, left, right) in lengths {
        same_length(what, left, right)?;
    }
    Ok(())
}

pub(super) fn indices(atoms: usize, restraints: &Restraints, contacts: &Contacts) -> Result<()> {
    none(
        "a pair does not name two atoms that exist",
        restraints.pairs.iter().position(|pair| !distinct(pair, atoms)),
    )?;
    none(
        "a corner does not name four atoms that exist",
        restraints.corners.iter().position(|corner| !distinct(corner, atoms)),
    )?;
    none(
        "a turn does not name four atoms that exist",
        restraints.turns.iter().position(|turn| !distinct(turn, atoms)),
    )?;
    let mut named = vec![false; atoms];
    let again = |&atom: &i32| {
        let seen = usize::try_from(atom).ok().and_then(|atom| named.get_mut(atom));
        seen.is_none_or(|seen| std::mem::replace(seen, true))
    };
    none(
        "contacts name an atom that does not exist, or one twice",
        contacts.atoms.iter().position(again),
    )
}

pub(super) fn numbers(atoms: &Atoms, restraints: &Restraints, contacts: &Contacts) -> Result<()> {
    let wrong = |[low, high]: &[f64; 2]| !(low.is_finite() && *low >= 0.0 && low <= high);
    none(
        "a range does not go from a distance to one at least as large",
        restraints.range.iter().position(wrong),
    )?;
    let not_finite = |values: &[f64]| values.iter().position(|value| !value.is_finite());
    none("a weight is not finite", not_finite(atoms.weights))?;
    none("a volume is not finite", not_finite(restraints.volume))?;
    let wrong_stiffness = |stiffness: &f64| !(stiffness.is_finite() && *stiffness >= 0.0);
    none(
        "a hold is negative or not finite",
        atoms.hold.iter().position(wrong_stiffness),
    )?;
    none(
        "a stiffness is negative or not finite",
        restraints.stiffness.iter().position(wrong_stiffness),
    )?;
    let wrong = |[at, slack]: &[f64; 2]| !(at.is_finite() && slack.is_finite() && *slack >= 0.0);
    none(
        "a torsion is not finite, or its slack negative",
        restraints.turn_range.iter().position(wrong),
    )?;
    none(
        "a contact's reach is negative or not finite",
        contacts.reach.iter().position(wrong_stiffness),
    )?;
    let values = [
        ("volume_stiffness", restraints.volume_stiffness),
        ("turn_stiffness", restraints.turn_stiffness),
        ("contact_stiffness", contacts.stiffness),
    ];
    for (name, value) in values {
        if !(value.is_finite() && value >= 0.0) {
            let rule = "finite and at least 0";
            return Err(Error::Parameter { name, rule, value });
        }
    }
    Ok(())
}

/// Whether these are different atoms that exist.
fn distinct(named: &[i32], atoms: usize) -> bool {
    let known = |atom: &i32| usize::try_from(*atom).is_ok_and(|atom| atom < atoms);
    named.iter().all(known) && (1..named.len()).all(|k| !named[..k].contains(&named[k]))
}

fn none(what: &'static str, row: Option<usize>) -> Result<()> {
    row.map_or(Ok(()), |row| Err(Error::Row { what, row }))
}
