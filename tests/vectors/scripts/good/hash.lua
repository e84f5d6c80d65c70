-- expect: returns 0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470 0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
return hash.keccak256("") .. " " .. hash.sha256("abc")
