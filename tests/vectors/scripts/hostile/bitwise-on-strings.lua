-- expect: fails
return "10" | 1
