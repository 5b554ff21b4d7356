watertight::probe!();

#[watertight::test]
async fn task() {
    adopted::leaky::task().await;
}

#[watertight::test(cycles = 20)]
async fn heap() {
    adopted::leaky::heap().await;
}

#[watertight::test]
async fn fd() {
    adopted::leaky::fd().await;
}

#[watertight::test]
async fn thread() {
    adopted::leaky::thread().await;
}
