// Uploaded pictures of the browser's history, as an address cannot hold them. They survive a reload and never leave
// this browser. The oldest are deleted.

const NAME = "retroflex";
const PICTURES = "pictures";
const MOST = 40;

const answer = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function open(mode) {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(PICTURES, { autoIncrement: true });
  return (await answer(request)).transaction(PICTURES, mode).objectStore(PICTURES);
}

const memory = new Map();  // files by key until the page is closed, also where nothing can be stored

// Returns the history entry for these pictures; each gets a key.
export async function keep(pictures) {
  for (const one of pictures) {
    one.key ??= await store(one.file);
    memory.set(one.key, one.file);
  }
  return pictures.map(({ key, unlike }) => ({ key, unlike }));
}

async function store(file) {
  try {
    const pictures = await open("readwrite");
    const key = await answer(pictures.add(file));
    if (key > MOST) pictures.delete(IDBKeyRange.upperBound(key - MOST));
    return key;
  } catch {
    return `only now ${memory.size}`;  // A private window may have no storage.
  }
}

// Returns the pictures given to `keep` that are still stored.
export async function kept(remembered = []) {
  const found = await Promise.all(remembered.map(async (one) => ({ ...one, file: await read(one.key) })));
  return found.filter((one) => one.file);
}

async function read(key) {
  if (memory.has(key)) return memory.get(key);
  try {
    return await answer((await open("readonly")).get(key));
  } catch {
    return null;
  }
}
