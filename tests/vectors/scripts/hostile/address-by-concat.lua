-- expect: fails
return "x" .. {}
