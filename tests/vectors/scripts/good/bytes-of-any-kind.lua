-- expect: returns 3
return #"\0\xff\n"
