//! The global allocator: the system's, with each live block counted under its call stack and tenant.
//!
//! A block carries a header of [`HEADER_BYTES`] in front that says whose it is, so that freeing it needs no lookup. Nothing on the path from `alloc` to the system's allocator allocates, locks or panics.

mod chunks;
pub(crate) mod counts;
mod differences;
pub(crate) mod mode;
pub(crate) mod sites;
pub(crate) mod stack;
mod stacks;
mod thread;
pub(crate) mod unwound;
#[cfg(feature = "dhat")]
pub(crate) mod witnessed;

use std::alloc::{GlobalAlloc, Layout, System};

use counts::Owner;
use mode::{Active, Stacks};

use crate::actor::Actor;

/// The allocator to declare as `#[global_allocator]`. What it counts is chosen by `WATERTIGHT_HEAP`; see
/// [`crate::heap::Mode`].
#[derive(Debug, Default)]
pub struct Alloc;

impl Alloc {
    /// For the `static`.
    pub const fn new() -> Self {
        Self
    }
}

/// In front of each block: its site's number in the first four bytes, its tenant's in the next two. 16, so that the block keeps malloc's alignment.
pub(crate) const HEADER_BYTES: usize = 16;

#[expect(unsafe_code, reason = "a global allocator is an unsafe trait")]
// SAFETY: every method hands on to the system's allocator (or dhat's), with a layout enlarged by `Headed`, and returns
// a pointer `prefix` bytes into that block: as large and as aligned as asked for. Nothing here unwinds.
unsafe impl GlobalAlloc for Alloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is `allocate`'s.
        unsafe { allocate(layout, false) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is `allocate`'s.
        unsafe { allocate(layout, true) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match mode::active() {
            // SAFETY: the mode never changes, so this block was made by the same allocator, with this layout.
            Active::Off => unsafe { System.dealloc(block, layout) },
            Active::Count => {
                counts::freed(Owner::ALL, layout.size());
                // SAFETY: as above.
                unsafe { System.dealloc(block, layout) }
            }
            Active::Headers { .. } => {
                // SAFETY: in this mode each block was made by `allocate`, which found the enlarged layout to be one.
                let headed = unsafe { Headed::of_live(layout) };
                // SAFETY: for the same reason it has a header in front of it.
                let owner = unsafe { read_owner(block) };
                Actor::first_frees(owner.tenant);
                counts::freed(owner, layout.size());
                // SAFETY: `block` lies `prefix` bytes into a block of the system's with the layout `headed.layout`.
                unsafe { System.dealloc(block.sub(headed.prefix), headed.layout) }
            }
            #[cfg(feature = "dhat")]
            // SAFETY: as above.
            Active::Dhat => unsafe { witnessed::deallocate(block, layout) },
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        match mode::active() {
            // SAFETY: the mode never changes, so this block was made by the same allocator, with this layout.
            Active::Off => unsafe { System.realloc(block, layout, new_size) },
            Active::Count => {
                // SAFETY: as above.
                let moved = unsafe { System.realloc(block, layout, new_size) };
                if !moved.is_null() {
                    counts::resized(Owner::ALL, layout.size(), new_size);
                }
                moved
            }
            // SAFETY: as above, and made by `allocate`.
            Active::Headers { .. } => unsafe { reallocate_headed(block, layout, new_size) },
            #[cfg(feature = "dhat")]
            // SAFETY: as above.
            Active::Dhat => unsafe { witnessed::reallocate(block, layout, new_size) },
        }
    }
}

/// # Safety
///
/// As [`GlobalAlloc::alloc`]; a size of zero is fine too.
#[expect(unsafe_code, reason = "hands on to the system's allocator")]
#[inline]
unsafe fn allocate(layout: Layout, zeroed: bool) -> *mut u8 {
    match mode::active() {
        // SAFETY: the caller's contract.
        Active::Off => unsafe { system(layout, zeroed) },
        Active::Count => {
            // SAFETY: the caller's contract.
            let block = unsafe { system(layout, zeroed) };
            if !block.is_null() {
                counts::allocated(Owner::ALL, layout.size());
            }
            block
        }
        Active::Headers { stacks } => {
            let Some(headed) = Headed::of(layout) else { return std::ptr::null_mut() };
            // SAFETY: `headed.layout` is at least HEADER_BYTES long.
            let base = unsafe { system(headed.layout, zeroed) };
            if base.is_null() {
                return base;
            }
            let actor = Actor::current();
            let site = match stacks {
                Stacks::Frames => sites::of_caller(actor),
                Stacks::None => sites::without_stack(actor),
                Stacks::Unwound => unwound::of_caller(actor),
            };
            let owner = Owner { site, tenant: actor.tenant() };
            counts::allocated(owner, layout.size());
            // SAFETY: `prefix` bytes lie before the block's end, since `headed.layout` is that much longer.
            let block = unsafe { base.add(headed.prefix) };
            // SAFETY: the HEADER_BYTES before `block` belong to it and are aligned to 16.
            unsafe { write_owner(block, owner) };
            block
        }
        #[cfg(feature = "dhat")]
        // SAFETY: the caller's contract.
        Active::Dhat => unsafe { witnessed::allocate(layout, zeroed) },
    }
}

/// # Safety
///
/// As [`GlobalAlloc::realloc`], for a block made by [`allocate`] with a header.
#[expect(unsafe_code, reason = "hands on to the system's allocator")]
unsafe fn reallocate_headed(block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
    let new_layout = Layout::from_size_align(new_size, layout.align()).ok().and_then(Headed::of);
    let (Some(old), Some(new)) = (Headed::of(layout), new_layout) else { return std::ptr::null_mut() };
    // SAFETY: the block has a header.
    let owner = unsafe { read_owner(block) };
    // SAFETY: `block` lies `prefix` bytes into a block of the system's with the layout `old.layout`; the new size is
    // not zero and fits a Layout. The prefix depends on the alignment alone, which stays: the header moves along.
    let moved = unsafe { System.realloc(block.sub(old.prefix), old.layout, new.layout.size()) };
    if moved.is_null() {
        return moved;
    }
    counts::resized(owner, layout.size(), new_size);
    // SAFETY: the moved block is `prefix` bytes longer than `new_size`.
    unsafe { moved.add(new.prefix) }
}

/// # Safety
///
/// `layout` has a size other than zero, or the system's allocator takes zero.
#[expect(unsafe_code, reason = "hands on to the system's allocator")]
#[inline]
unsafe fn system(layout: Layout, zeroed: bool) -> *mut u8 {
    // SAFETY: the caller's contract.
    unsafe { if zeroed { System.alloc_zeroed(layout) } else { System.alloc(layout) } }
}

/// A layout with room for the header in front.
struct Headed {
    /// The header's bytes, or the alignment where that is larger.
    prefix: usize,
    layout: Layout,
}

impl Headed {
    /// `None`: larger than any allocation can be.
    #[inline]
    fn of(layout: Layout) -> Option<Self> {
        let align = layout.align().max(HEADER_BYTES);
        let size = layout.size().checked_add(align)?;
        let layout = Layout::from_size_align(size, align).ok()?;
        Some(Self { prefix: align, layout })
    }

    /// As [`Headed::of`], without asking again.
    ///
    /// # Safety
    ///
    /// [`Headed::of`] has given `Some` for this layout.
    #[expect(unsafe_code, reason = "freeing asks nothing that allocating has answered")]
    #[inline]
    unsafe fn of_live(layout: Layout) -> Self {
        let align = layout.align().max(HEADER_BYTES);
        // SAFETY: the sum did not overflow, and made a valid layout, when the block was made.
        let layout = unsafe { Layout::from_size_align_unchecked(layout.size().unchecked_add(align), align) };
        Self { prefix: align, layout }
    }
}

/// # Safety
///
/// `block` has a header: it was returned by [`allocate`] with one.
#[expect(unsafe_code, reason = "reads the header in front of the block")]
#[inline]
unsafe fn read_owner(block: *const u8) -> Owner {
    // SAFETY: the header's first eight bytes lie there, aligned to 16 and written by `write_owner`.
    let word = unsafe { block.sub(HEADER_BYTES).cast::<u64>().read() };
    Owner::from_word(word)
}

/// # Safety
///
/// The [`HEADER_BYTES`] before `block` are the allocator's own and aligned to 16.
#[expect(unsafe_code, reason = "writes the header in front of the block")]
#[inline]
unsafe fn write_owner(block: *mut u8, owner: Owner) {
    // SAFETY: the caller's contract.
    unsafe { block.sub(HEADER_BYTES).cast::<u64>().write(owner.to_word()) }
}
