//! The document's structure: what is a heading, what is a cell, in the order in which it is read.

use krilla::tagging::{Identifier, Node as TagNode, TagGroup, TagKind, TagTree};

/// A node of the structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// What something on a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// The content of a node.
    Content(NodeId),
    /// Decoration: nothing is lost without it.
    Decoration,
    /// What is on every page.
    Footer,
    /// What was said before and is repeated on a new page.
    Repeated,
}

struct Node {
    tag: TagKind,
    children: Vec<Child>,
}

enum Child {
    Node(NodeId),
    Content(Identifier),
}

/// The nodes, and which of them are at the top.
#[derive(Default)]
pub(super) struct Structure {
    nodes: Vec<Node>,
    top: Vec<NodeId>,
}

impl Structure {
    /// A node at the top.
    pub(super) fn add(&mut self, tag: impl Into<TagKind>) -> NodeId {
        let id = self.insert(tag.into());
        self.top.push(id);
        id
    }

    /// A node in another, after what is in it already.
    pub(super) fn add_to(&mut self, parent: NodeId, tag: impl Into<TagKind>) -> NodeId {
        let id = self.insert(tag.into());
        self.nodes[parent.0].children.push(Child::Node(id));
        id
    }

    fn insert(&mut self, tag: TagKind) -> NodeId {
        self.nodes.push(Node {
            tag,
            children: Vec::new(),
        });
        NodeId(self.nodes.len() - 1)
    }

    /// Notes where on the pages the content of a node is.
    pub(super) fn place(&mut self, node: NodeId, content: Identifier) {
        self.nodes[node.0].children.push(Child::Content(content));
    }

    /// The structure as the file has it.
    pub(super) fn tree(&self) -> TagTree {
        let mut tree = TagTree::new();
        for id in &self.top {
            tree.push(self.group(*id));
        }
        tree
    }

    fn group(&self, id: NodeId) -> TagGroup {
        let node = &self.nodes[id.0];
        let mut group = TagGroup::new(node.tag.clone());
        for child in &node.children {
            match child {
                Child::Node(id) => group.push(self.group(*id)),
                Child::Content(content) => group.push(TagNode::from(*content)),
            }
        }
        group
    }
}
