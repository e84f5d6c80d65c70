-- expect: returns 0
return 1 << 64
