-- expect: returns [a,b,c]
return {"a", "b", "c"}
