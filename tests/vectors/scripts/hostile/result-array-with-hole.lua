-- expect: fails
return {"a", nil, "c"}
