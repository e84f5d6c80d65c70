-- expect: fails
return 1 // 0
