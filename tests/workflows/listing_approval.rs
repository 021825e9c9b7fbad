//! `listingApprovalWorkflow`.

mod cancelling;
mod deadline;
mod deciding;
mod edits;
mod failing;
mod input;
mod queries;
mod reruns;
mod reviewed;
