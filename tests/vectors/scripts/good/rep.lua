-- expect: returns ababab a,a,a  |
return ("ab"):rep(3) .. " " .. ("a"):rep(3, ",") .. " " .. ("x"):rep(0) .. " " .. ("x"):rep(-1) .. "|"
