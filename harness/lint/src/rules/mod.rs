//! The rules, one file each: `src/rules/NAME.rs`, its page `rules/NAME.md`, and one line here.

/// Declares the modules and lists their rules, in this order.
macro_rules! rules {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        /// Every rule.
        pub(crate) const ALL: &[&crate::rule::Rule] = &[$(&$name::RULE),*];
    };
}

rules! {
    detached_spawn,
    forgotten_value,
    join_set_never_joined,
    leaked_box,
    loop_without_cancel,
    select_recv_without_else,
    unbounded_channel,
}
