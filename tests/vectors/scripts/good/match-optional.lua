-- expect: returns -5 5
return ("x-5"):match("x(%-?%d+)") .. " " .. ("x5"):match("x(%-?%d+)")
