// Package earlyaccess is what visitors may do before the launch: join the list, claim a founding slot, vote on the
// roadmap. It promises:
//
//   - A place on the list never changes, and an email has one place however often it joins.
//   - There are as many founding slots as rows in founding_slots. Taking one locks early_access_totals first, so no two
//     visitors get the same one and there is never one too many.
//   - A person has one vote an item. The vote and the count of votes change in one statement.
//   - Where mail is sent, a vote counts once the link in the mail has been opened, and a founding slot that nobody
//     confirms falls free after Config.ConfirmTTL.
//
// Robots are slowed down without a third party: joins, claims and votes are counted by address, and a proof of work
// (proof.go) gives more room; a field that people do not see catches those that fill in everything.
package earlyaccess
