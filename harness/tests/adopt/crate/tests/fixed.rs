watertight::probe!();

macro_rules! sixteen {
    ($($name:ident $does:ident),+) => {
        $(
            #[watertight::test]
            async fn $name() {
                adopted::fixed::$does().await;
            }
        )+
    };
}

sixteen! {
    task_1 task, task_2 task, task_3 task, task_4 task, fd_1 fd, fd_2 fd, fd_3 fd, fd_4 fd,
    socket_1 socket, socket_2 socket, socket_3 socket, socket_4 socket, thread_1 thread, thread_2 thread
}

#[watertight::test(cycles = 20)]
async fn heap_1() {
    drop(vec![0_u8; 1_024]);
}

#[watertight::test(cycles = 20, flavor = "multi_thread", worker_threads = 2)]
async fn heap_2() {
    tokio::spawn(async { drop(vec![0_u8; 1_024]) }).await.unwrap();
}

// Among leaky neighbours: they leave their tasks, files and threads behind while the others are counted.
#[tokio::test]
async fn neighbour_1() {
    adopted::leaky::fd().await;
    adopted::leaky::thread().await;
    adopted::leaky::task().await;
}
